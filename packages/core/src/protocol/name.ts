/**
 * Names and routes (spec: wire 4). Readers take what the protocol allows; makers take the narrower form we
 * create.
 */

/**
 * 1–32 bytes: a letter first, a letter or digit last, between them also `-`, `_`, `.`; letters of any script.
 */
const NAME = /^\p{Alphabetic}(?:[\p{Alphabetic}\p{N}._-]*[\p{Alphabetic}\p{N}])?$/u;
const ASCII_NAME = /^[A-Za-z](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const NAME_BYTES_MAX = 32;
const ROUTE = /^(?:[A-Za-z_]\w*\.){2,}[A-Za-z_]\w*$/;
const KEY_ID = /^mfr-[0-9a-f]{16}$/;
const ENCODER = new TextEncoder();

/** A name that may come in. */
export function isName(text: string): boolean {
  return NAME.test(text) && ENCODER.encode(text).length <= NAME_BYTES_MAX;
}

/** A name that we create: ASCII. */
export function isOwnName(text: string): boolean {
  return text.length <= NAME_BYTES_MAX && ASCII_NAME.test(text);
}

export interface RouteName {
  /** `package.Service`. */
  readonly service: string;
  readonly method: string;
}

/** `package.Service.Method`; undefined when it is not one. What comes in may be any text of 1–256 bytes. */
export function parseRoute(route: string): RouteName | undefined {
  if (route.length > 256 || !ROUTE.test(route)) return undefined;
  const dot = route.lastIndexOf(".");
  return { service: route.slice(0, dot), method: route.slice(dot + 1) };
}

/** The id of a package key, from the SHA-256 of its public key. */
export function packageKeyId(sha256: Uint8Array): string {
  return `mfr-${[...sha256.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export function isPackageKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** Routes that the node handles itself, only between peers that know our extensions. */
export const SYSTEM_ROUTES = {
  cancel: "atoll.sys.v1.Cancel", probe: "atoll.sys.v1.Probe", refresh: "atoll.sys.v1.Refresh",
} as const;

/** What a peer announces; without a word it gets none of its fields. */
export const FEATURES = ["rpc1", "stream1", "refresh1", "tls1", "lanes1"] as const;
export type Feature = (typeof FEATURES)[number];

/** What a realm announces. */
export const REALM_FEATURES = ["hello1", "key1", "down1", "rules1"] as const;
export type RealmFeature = (typeof REALM_FEATURES)[number];
