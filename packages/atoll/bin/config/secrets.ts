/** What must never be shown: values of variables whose names say so, and the key of the mesh. */
import { parseEnv } from "node:util";
import { isSecretName, Redactor, Secret, type Reading } from "@atoll-run/core";
import type { Env } from "../../src/compose/settings.ts";

/**
 * Names and values of secret variables; the environment wins over `.env`. `dotenv`: text of the project's
 * `.env`.
 */
export function toSecrets(env: Env, dotenv = ""): ReadonlyMap<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const [name, value] of Object.entries({ ...parseEnv(dotenv), ...env })) {
    if (isSecretName(name) && value !== undefined && value !== "") secrets.set(name, new Secret(value));
  }
  return secrets;
}

export function toRedactor(secrets: Iterable<Secret>): Redactor {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.add(secret);
  return redactor;
}

/** A key is 32 bytes as hex digits. The text says how many there are, never what they are. */
export function readSecretKey(text: string): Reading<Secret> {
  const key = text.trim();
  const expected = "secret-key: expected 64 hex chars,";
  if (key.length !== 64) return { ok: false, problem: `${expected} got ${key.length}` };
  const wrong = /[^0-9a-f]/i.exec(key);
  if (wrong !== null) return { ok: false, problem: `${expected} character ${wrong.index + 1} is none` };
  return { ok: true, value: new Secret(key) };
}
