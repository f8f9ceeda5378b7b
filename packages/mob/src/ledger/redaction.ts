/**
 * What is masked before it is stored (spec: mob 5.13): in entries, session logs, and whatever else a mob keeps of what was said.
 *
 * takes values; gives them with `[REDACTED]` for texts under names that mean a secret and for texts that look like a credential;
 * promises that what is not text stays as it is; refuses nothing; never looks for what only its owner can know: registered
 * secrets are masked by whoever has them.
 */
import { isSecretKey, LuaFloat, REDACTED, type Json } from "@atoll-run/core";

/** Shorter texts hold no credential that could be told from a word. */
const CHARS_MIN = 16;
/** Of model providers, code hosts, clouds, chats; JSON web tokens; private keys; what stands behind `Bearer`. */
const SHAPES = new RegExp(`(?<![\\w-])(?:${[
  "sk-(?=[\\w-]*\\d)[\\w-]{20,}", "gh[pousr]_[A-Za-z0-9]{30,}", "github_pat_\\w{22,}", "glpat-[\\w-]{20,}", "npm_[A-Za-z0-9]{30,}",
  "xox[abeoprs]-[\\w-]{10,}", "(?:AKIA|ASIA)[0-9A-Z]{16}\\b", "AIza[\\w-]{30,}", "eyJ[\\w-]{10,}\\.eyJ[\\w-]{10,}\\.[\\w-]{10,}",
  "-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", "(?<=\\b[Bb]earer )[\\w.~+/-]{20,}=*",
].join("|")})`, "g");
const PASSWORD_IN_URL = /(:\/\/[^\s/:@]{1,256}:)[^\s/@]{1,256}(?=@)/g;

export function hideSecrets(value: Json): Json {
  if (typeof value === "string") return maskText(value);
  if (typeof value !== "object" || value === null || (value as object) instanceof LuaFloat) return value;
  if (Array.isArray(value)) return value.map(hideSecrets);
  return Object.fromEntries(Object.entries(value as { [key: string]: Json }).map(([key, item]) =>
    [key, isSecretKey(key) ? hideTexts(item) : hideSecrets(item)]));
}

function hideTexts(value: Json): Json {
  if (typeof value === "string") return REDACTED;
  if (typeof value !== "object" || value === null || (value as object) instanceof LuaFloat) return value;
  if (Array.isArray(value)) return value.map(hideTexts);
  return Object.fromEntries(Object.entries(value as { [key: string]: Json }).map(([key, item]) => [key, hideTexts(item)]));
}

function maskText(text: string): string {
  if (text.length < CHARS_MIN) return text;
  const masked = text.replace(SHAPES, REDACTED);
  return masked.includes("://") ? masked.replace(PASSWORD_IN_URL, `$1${REDACTED}`) : masked;
}
