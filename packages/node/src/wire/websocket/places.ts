/** Where connections may come from and go to (spec: node 6.4). */
import { nodeError, type NodeError } from "@atoll-run/core";

/** Whether plain `ws` may leave this machine. */
export type PlainRule = "loopback" | "allow";

/** An address or the name of a host that is this machine. */
export function isLoopback(host: string | undefined): boolean {
  if (host === undefined) return false;
  const bare = host.replace(/^\[|\]$/g, "").replace(/^::ffff:/i, "").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^127(?:\.\d{1,3}){3}$/.test(bare);
}

export interface Place {
  readonly url: URL;
  readonly onLoopback: boolean;
}

/** Addresses that were read last: the same few are dialled again and again. */
const PLACES = new Map<string, Place>();
const PLACES_MAX = 1_024;

/** The address, and whether it is this machine. Throws `node.invalid_argument`, `node.permission_denied`. */
export function checkAddress(address: string, plain: PlainRule): Place {
  const place = PLACES.get(address) ?? readPlace(address);
  if (place.url.protocol === "ws:" && !place.onLoopback && plain !== "allow") throw notPlain(place.url.host);
  return place;
}

function readPlace(address: string): Place {
  const url = URL.parse(address);
  if (url === null || url.protocol !== "ws:" && url.protocol !== "wss:" || url.username !== "" || url.hash !== "") {
    throw nodeError("node.invalid_argument", `${address} is no address of a WebSocket`);
  }
  const place = { url, onLoopback: isLoopback(url.hostname) };
  if (PLACES.size >= PLACES_MAX) PLACES.clear();
  PLACES.set(address, place);
  return place;
}

/** Throws `node.invalid_argument` for a place where plain `ws` must not be served. */
export function checkListen(o: { readonly host: string; readonly tls?: object | undefined }, plain: PlainRule): void {
  if (o.tls === undefined && plain !== "allow" && !isLoopback(o.host)) {
    throw nodeError("node.invalid_argument", `plain ws may be served on loopback only, not on ${o.host}`, {
      hint: 'Give a certificate and its key, or set listen.plain = "allow" where the network is your own.',
    });
  }
}

function notPlain(host: string): NodeError {
  return nodeError("node.permission_denied", `plain ws may be dialled on loopback only, not to ${host}`, {
    hint: 'Let the peer listen with TLS, or set listen.plain = "allow" where the network is your own.',
  });
}
