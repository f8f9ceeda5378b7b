/**
 * Types of actors and ids of nodes, as text and back, strictly: what is not exactly the form is refused
 * (spec: wire 4).
 */
import { isName, isOwnName } from "./name.ts";

export interface ActorType {
  readonly manufacturer: string;
  readonly name: string;
  readonly version: string;
}

export interface NodeId {
  /** Of its serials and credentials; 32 bits. */
  readonly realm: number;
  /** At most 54 bits. */
  readonly serial: bigint;
  readonly type: ActorType;
}

const SERIAL_LIMIT = 1n << 54n;
const REALM_MAX = 0xffff_ffff;
/** Free text, so it gets the bound that the protocol gives to keys. */
const VERSION_BYTES_MAX = 128;
const ENCODER = new TextEncoder();

/** Two types are one when their texts are. */
export function formatType({ manufacturer, name, version }: ActorType): string {
  return `${manufacturer}:${name}:${version}`;
}

/** `manufacturer:name:version`; undefined when it is not one. */
export function parseType(text: string): ActorType | undefined {
  const [manufacturer = "", name = "", version = "", ...more] = text.split(":");
  const type = { manufacturer, name, version };
  return more.length === 0 && isType(type) ? type : undefined;
}

/** A type that may come in: two names, and a version without `:`. */
export function isType({ manufacturer, name, version }: ActorType): boolean {
  return isName(manufacturer) && isName(name) && isVersion(version);
}

/** A type that we create: ASCII names, a version without `:`, `/`, `@` and blanks. */
export function isOwnType({ manufacturer, name, version }: ActorType): boolean {
  return isOwnName(manufacturer) && isOwnName(name) && isVersion(version) && !/[/@\s]/.test(version);
}

/** `1a2b3c@101/acme:echo:1.0.0`. */
export function formatNodeId({ realm, serial, type }: NodeId): string {
  return `${serial.toString(16)}@${realm}/${formatType(type)}`;
}

/** The id; undefined when the text is not exactly what {@link formatNodeId} writes for it. */
export function parseNodeId(text: string): NodeId | undefined {
  const match = /^(0|[1-9a-f][0-9a-f]{0,13})@(0|[1-9]\d{0,9})\/([^]+)$/.exec(text);
  if (match === null) return undefined;
  const [, serial = "", realm = "", rest = ""] = match;
  const type = parseType(rest);
  if (type === undefined) return undefined;
  const id = { realm: Number(realm), serial: BigInt(`0x${serial}`), type };
  return isNodeId(id) ? id : undefined;
}

/** Whether every part is in its range; for ids that came as bytes. */
export function isNodeId({ realm, serial, type }: NodeId): boolean {
  return Number.isInteger(realm) && realm >= 0 && realm <= REALM_MAX && serial >= 0n && serial < SERIAL_LIMIT
    && isType(type);
}

/** `actr://<realm>:<manufacturer>+<name>@<version>`: a type in a realm. */
export interface ActorUri {
  readonly realm: number;
  readonly type: ActorType;
}

export function formatUri({ realm, type: { manufacturer, name, version } }: ActorUri): string {
  return `actr://${realm}:${manufacturer}+${name}@${version}`;
}

export function parseUri(text: string): ActorUri | undefined {
  const match = /^actr:\/\/(0|[1-9]\d{0,9}):([^+@]+)\+([^+@]+)@([^]+)$/.exec(text);
  if (match === null) return undefined;
  const [, realm, manufacturer = "", name = "", version = ""] = match;
  const uri = { realm: Number(realm), type: { manufacturer, name, version } };
  return uri.realm <= REALM_MAX && isType(uri.type) ? uri : undefined;
}

function isVersion(text: string): boolean {
  return text !== "" && !text.includes(":") && text.isWellFormed() && !/\p{Cc}/u.test(text)
    && ENCODER.encode(text).length <= VERSION_BYTES_MAX;
}
