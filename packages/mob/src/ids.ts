/** Names of a mob (spec: mob 0.2, 0.3). */
import { createHash } from "node:crypto";
import type { Clock } from "@atoll-run/core";

export type IdKind = "t" | "r" | "a" | "e";

/** Makes prefixed ULIDs: 48 bits of time, 80 of chance, rising within a millisecond. */
export type NewId = (kind: IdKind) => string;

export interface IdParts {
  readonly clock: Clock;
  readonly bytes: (count: number) => Uint8Array;
}

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** ULIDs as github.com/ulid/spec has them: 26 characters, sorted by time. */
export function createIds({ clock, bytes }: IdParts): NewId {
  let lastMs = -1;
  let time = "";
  let chance: Uint8Array = new Uint8Array(10);
  return (kind) => {
    const nowMs = clock.now();
    if (nowMs > lastMs) {
      lastMs = nowMs;
      time = ulidTime(nowMs);
      chance = bytes(10);
    } else {
      for (let at = 9; at >= 0 && (chance[at] = ((chance[at] as number) + 1) & 255) === 0; at--);
    }
    return `${kind}_${time}${in32(chance, CROCKFORD)}`;
  };
}

/** What an id of that instant begins with, after its kind: 10 characters. */
export function ulidTime(ms: number): string {
  let time = "";
  for (let rest = ms, at = 0; at < 10; at++, rest = Math.floor(rest / 32)) time = CROCKFORD.charAt(rest % 32) + time;
  return time;
}

/** What rows and files of a member stand under: 26 characters of base32(sha256(member id)), as RFC 4648 in lower case. */
export function memberScope(member: string): string {
  return shortHash(member);
}

/** 26 characters, 130 bits. */
export function shortHash(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return in32(parts.length === 1 ? createHash("sha256").update(parts[0] as string).digest() : hash.digest(), BASE32).slice(0, 26);
}

/** What is being written, one at a time: joined character by character a text would be a list of texts. */
const WRITTEN = Buffer.alloc(64);

/** Of at most 40 bytes. */
function in32(bytes: Uint8Array, alphabet: string): string {
  let length = 0;
  let held = 0;
  let bits = 0;
  for (let at = 0; at < bytes.length; at++) {
    held = held << 8 | bytes[at] as number;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      WRITTEN[length++] = alphabet.charCodeAt(held >> bits & 31);
    }
    held &= 255;
  }
  if (bits > 0) WRITTEN[length++] = alphabet.charCodeAt(held << 5 - bits & 31);
  return WRITTEN.toString("latin1", 0, length);
}

/** 1–128 characters without white space, control characters, `/`, `::` or leading `@`; e-mail addresses are legal. */
export function isMemberId(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  return text.length >= 1 && text.length <= 128 && !/[\s\u0000-\u001f\u007f/]|::|^@/u.test(text);
}
