/** Network grants (spec: block 8.2, 8.3): patterns of `net:` and what they allow. */
import {
  type Address, type AddressRange, dangerOf, hostText, inRange, rangeOf, readAddress,
} from "./addresses.ts";
import type { Denied } from "./denied.ts";

export type NetPattern =
  | { readonly kind: "host"; readonly host: string; readonly below: boolean; readonly port?: number }
  | { readonly kind: "any" | "private"; readonly port?: number }
  | { readonly kind: "range"; readonly range: AddressRange; readonly port?: number };

/** A pattern of `net:`, or a problem in words. `undefined` is `net` alone: every public host. */
export function readNetPattern(text: string | undefined): NetPattern | string {
  if (text === undefined) return { kind: "any" };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return "is a URL; name only host and port";
  // IPv6 without brackets: its colons leave no room for a port.
  const [address = "", bits, more] = text.split("/");
  const bare = more === undefined ? readAddress(address) : undefined;
  if (bare !== undefined && address.includes(":")) return addressPattern(bare, bits, undefined);
  const cut = /^(\[[^\]]*\](?:\/\d+)?|[^:]*)(?::(.*))?$/.exec(text);
  if (cut === null) return "is not a host, an address or a range; write IPv6 as [fd00::1]:443 or fd00::/8";
  const port = cut[2] === undefined ? undefined : readPort(cut[2]);
  if (port === null) return `has port "${cut[2]}"; a port is a number from 1 to 65535`;
  return hostPattern(cut[1] ?? "", port);
}

function hostPattern(text: string, port: number | undefined): NetPattern | string {
  const withPort = port === undefined ? {} : { port };
  if (text === "*") return { kind: "any", ...withPort };
  if (text === "private") return { kind: "private", ...withPort };
  if (text.startsWith("[") || text.includes("/")) return rangePattern(text, port);
  const address = readAddress(text);
  if (address !== undefined) return addressPattern(address, undefined, port);
  const below = text.startsWith("*.");
  const host = canonicalHost(below ? text.slice(2) : text);
  if (host === undefined) return "is not a host name; `*` may stand only as the first label (*.example.com)";
  if (readAddress(host) !== undefined) return `is another spelling of ${host}; write that`;
  return { kind: "host", host, below, ...withPort };
}

function rangePattern(text: string, port: number | undefined): NetPattern | string {
  const cut = /^(?:\[([^\]/]*)(?:\/(\d+))?\]|([^[\]/]*))(?:\/(\d+))?$/.exec(text);
  const address = readAddress(cut?.[1] ?? cut?.[3] ?? "");
  if (cut === null || address === undefined) {
    return "is not an address or a range like 10.0.0.0/8 or [fd00::]/8";
  }
  return addressPattern(address, cut[2] ?? cut[4], port);
}

function addressPattern(
  address: Address, bits: string | undefined, port: number | undefined,
): NetPattern | string {
  const width = address.toByteArray().length * 8;
  const range = rangeOf(address, bits === undefined ? width : /^\d+$/.test(bits) ? Number(bits) : -1);
  if (range === undefined) return "has a prefix that is too long, or bits set beyond its prefix";
  return { kind: "range", range, ...(port === undefined ? {} : { port }) };
}

function readPort(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : null;
}

/** A host as a URL spells it: lower case, IDNA, without a last dot. Undefined when it is none. */
export function canonicalHost(text: string): string | undefined {
  if (text === "" || /[\s/?#@:\\[\]*%]/.test(text)) return undefined;
  const url = URL.parse(`http://${text}/`);
  return url === null || url.hostname === "" ? undefined : plainHost(url);
}

/** Host of a URL without brackets and without the last dot. */
export function plainHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

/** Port of a URL, with the default of its scheme. */
export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

export interface NetGrant {
  /** May this name be resolved at all? Undefined = yes. */
  name(host: string, port: number): Denied | undefined;
  /** May a granted name (`named`), or this address itself, be connected to? Undefined = yes. */
  address(ip: string, port: number, named: boolean): Denied | undefined;
}

/** Ports that need no mention. */
function isOrdinary(port: number): boolean {
  return port >= 1024 || port === 80 || port === 443;
}

export function createNetGrant(patterns: readonly NetPattern[]): NetGrant {
  const portFits = (pattern: NetPattern, port: number): boolean =>
    pattern.port === undefined ? isOrdinary(port) : pattern.port === port;
  const denial = (object: string, port: number, reason: string): Denied =>
    ({ verb: "net", object: `${object}:${port}`, reason, grant: `net:${object}:${port}` });
  /** Refusal, or undefined when one pattern that fits the object also fits the port. */
  const judge = (
    fits: (pattern: NetPattern) => boolean, port: number, refuse: (reason?: string) => Denied,
  ): Denied | undefined => {
    const fitting = patterns.filter(fits);
    if (fitting.some((pattern) => portFits(pattern, port))) return undefined;
    if (fitting.length === 0) return refuse();
    return refuse(isOrdinary(port) ? "port not granted" : "a port below 1024 must be named");
  };
  return {
    name(host, port) {
      const refuse = (why = "host not granted"): Denied => denial(host, port, why);
      return judge((pattern) => fitsName(pattern, host), port, refuse);
    },
    address(ip, port, named) {
      const address = readAddress(ip.replace(/%.*$/, ""));
      if (address === undefined) return denial(ip, port, "not an address");
      const danger = dangerOf(address);
      if (danger === undefined && named) return undefined;
      const fits = (pattern: NetPattern): boolean => {
        if (pattern.kind === "range") return inRange(address, pattern.range);
        return pattern.kind === (danger === undefined ? "any" : "private");
      };
      const refuse = (why = "address not granted"): Denied => denial(hostText(address), port, danger ?? why);
      return judge(fits, port, refuse);
    },
  };
}

function fitsName(pattern: NetPattern, host: string): boolean {
  if (pattern.kind === "any") return true;
  if (pattern.kind === "host") {
    return pattern.below ? host.endsWith(`.${pattern.host}`) : host === pattern.host;
  }
  // An address pattern names no host, and to resolve a name is to send it away. `localhost` never leaves the
  // machine.
  if (host !== "localhost" && !host.endsWith(".localhost")) return false;
  if (pattern.kind !== "range") return true;
  return LOOPBACK.some((address) => inRange(address, pattern.range));
}

const LOOPBACK = ["127.0.0.1", "::1"].flatMap((text) => readAddress(text) ?? []);
