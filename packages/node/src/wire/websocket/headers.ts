/** What stands in the headers of a handshake (spec: wire 6.2, 6.3), strictly. */
import type { IncomingHttpHeaders } from "node:http";
import { nodeError } from "@atoll-run/core";
import { HELLO_SUBPROTOCOL } from "@atoll-run/core/internal";
import { idBytes } from "../../identity/id-text.ts";
import type { Session } from "../../identity/session.ts";

export const HEADERS = {
  source: "x-actr-source-id", credential: "x-actr-credential", hello: "x-atoll-hello", error: "x-atoll-error",
} as const;

/** Characters of one header: a credential and a hello have half of it at most. */
const CHARACTERS_MAX = 16_384;

export interface ShownHeaders {
  readonly source: Uint8Array;
  readonly credential: Uint8Array;
}

/** Undefined when there is neither. Throws `node.permission_denied` for what cannot be read. */
export function readShown(headers: IncomingHttpHeaders): ShownHeaders | undefined {
  const [source, credential] = [one(headers, HEADERS.source), one(headers, HEADERS.credential)];
  if (source === undefined && credential === undefined) return undefined;
  const shown = { source: decode(source, "hex"), credential: decode(credential, "base64") };
  if (shown.source !== undefined && shown.credential !== undefined) return { source: shown.source, credential: shown.credential };
  throw nodeError("node.permission_denied", "the headers of identity cannot be read");
}

/** Undefined when there is none. Throws `node.decode_failure`. */
export function readHelloHeader(headers: IncomingHttpHeaders): Uint8Array | undefined {
  const text = one(headers, HEADERS.hello);
  if (text === undefined) return undefined;
  const bytes = decode(text, "base64url");
  if (bytes === undefined) throw nodeError("node.decode_failure", "the hello cannot be read");
  return bytes;
}

export function helloHeader(hello: Uint8Array): string {
  return Buffer.from(hello).toString("base64url");
}

/** The same in each dial of a session. */
const SHOWN = new WeakMap<Session, Readonly<Record<string, string>>>();

export function shownHeaders(session: Session): Readonly<Record<string, string>> {
  let shown = SHOWN.get(session);
  if (shown === undefined) {
    shown = {
      "X-Actr-Source-ID": Buffer.from(idBytes(session.id)).toString("hex"),
      "X-Actr-Credential": Buffer.from(session.credential_bytes).toString("base64"),
    };
    SHOWN.set(session, shown);
  }
  return shown;
}

/** Whether a client asks for the hello in the first messages: browsers cannot set headers. */
export function asksInBand(headers: IncomingHttpHeaders): boolean {
  return headers["sec-websocket-protocol"]?.split(",").some((name) => name.trim() === HELLO_SUBPROTOCOL) === true;
}

function one(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.join(",");
}

/** Only what is written exactly so: the platform skips what it does not know. */
function decode(text: string | undefined, form: "hex" | "base64" | "base64url"): Uint8Array | undefined {
  if (text === undefined || text === "" || text.length > CHARACTERS_MAX) return undefined;
  const bytes = Buffer.from(text, form);
  const same = form === "hex" ? text.toLowerCase() : text;
  return bytes.toString(form) === same ? new Uint8Array(bytes) : undefined;
}
