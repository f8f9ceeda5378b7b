/** Undoing the `content-encoding` of an answer, piece by piece. */
import { pipeline, Readable, type Transform } from "node:stream";
import {
  createBrotliDecompress, createGunzip, createInflate, createInflateRaw, createZstdDecompress,
} from "node:zlib";
import type { HeaderList, HttpReply } from "./client.ts";

/** What `decoded` can undo, as it is asked for. */
export const ACCEPT_ENCODING = "gzip, deflate, br, zstd";

/** Codings on top of each other; more is an attack. */
const CODINGS_MAX = 4;

type Coding = () => Transform;
const CODINGS: Readonly<Record<string, Coding>> = {
  gzip: () => createGunzip(),
  "x-gzip": () => createGunzip(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
};

/** Last value of a header; undefined when absent. */
export function headerOf(headers: HeaderList, name: string): string | undefined {
  return headers.findLast(([one]) => one === name)?.[1];
}

/**
 * The answer with its body decoded, without the headers that spoke of the encoded one. Unchanged when nothing
 * is encoded, or with a coding that is not known.
 */
export function decoded(reply: HttpReply, method: string): HttpReply {
  const names = reply.headers.filter(([name]) => name === "content-encoding")
    .flatMap(([, value]) => value.toLowerCase().split(",").map((name) => name.trim()))
    .filter((name) => name !== "" && name !== "identity");
  const bodiless = method === "HEAD" || reply.status === 204 || reply.status === 304;
  const known = names.every((name) => name === "deflate" || Object.hasOwn(CODINGS, name));
  if (bodiless || names.length === 0 || names.length > CODINGS_MAX || !known) return reply;
  const headers = reply.headers.filter(([name]) => name !== "content-encoding" && name !== "content-length");
  let body = reply.body;
  for (const name of names.toReversed()) {
    body = name === "deflate" ? inflated(body) : through(body, CODINGS[name]);
  }
  return { ...reply, headers, body };
}

function through(body: AsyncIterable<Uint8Array>, coding: Coding | undefined): AsyncIterable<Uint8Array> {
  if (coding === undefined) return body;
  // Errors reach the reader through the last stream; this only ties the ends together.
  return pipeline(Readable.from(body, { objectMode: false }), coding(), () => undefined);
}

/** `deflate` means zlib, yet some servers send it without the wrapper: the first byte tells. */
async function* inflated(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (first.done === true) return;
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield first.value;
      yield* { [Symbol.asyncIterator]: () => pieces };
    } finally {
      await pieces.return?.();
    }
  };
  const wrapped = ((first.value[0] ?? 0) & 0x0f) === 8;
  yield* through(rest(), wrapped ? () => createInflate() : () => createInflateRaw());
}
