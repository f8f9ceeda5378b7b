/**
 * Which names mean a secret. Two rules for two places: names of variables (block 8.4), keys in `ab.obs` lines
 * (block 9).
 */

const NAME_PARTS = ["API_KEY", "SECRET", "PASSWORD", "PASSWD", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"];

/**
 * Does a variable of this name hold a secret, which no child inherits and no log shows? Letter case does not
 * count. The name contains `API_KEY`, `SECRET`, `PASSWORD`, `PASSWD`, `PRIVATE_KEY`, `ACCESS_KEY` or
 * `CREDENTIAL`, or it contains `TOKEN` and does not end in `TOKENS`: `MAX_TOKENS` is a number, while
 * `SECRET_TOKENS` is secret by its first word.
 */
export function isSecretName(name: string): boolean {
  const upper = name.toUpperCase();
  if (NAME_PARTS.some((part) => upper.includes(part))) return true;
  return upper.includes("TOKEN") && !upper.endsWith("TOKENS");
}

const KEY_PARTS = [
  "authorization", "cookie", "token", "secret", "password", "passwd", "api_key", "apikey", "access_key",
  "private_key",
];

/**
 * Is the value under this key masked in an `ab.obs` line? Letter case does not count, and `-` is read as `_`.
 */
export function isSecretKey(key: string): boolean {
  const lower = key.toLowerCase().replaceAll("-", "_");
  return KEY_PARTS.some((part) => lower.includes(part));
}
