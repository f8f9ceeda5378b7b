/**
 * Blobs over HTTP as they are (spec: mob 6.4, 11.5, 11.6): a file of a form comes in, bytes go out.
 *
 * takes requests of methods that say so; gives what their method gives, or the bytes of a blob; promises that nobody's file is read before he may
 * write, and that no browser takes what goes out for a page of this server; refuses what is too large and more at once than there may be; never has
 * all of a blob in memory to send it.
 */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { withDeadline } from "@atoll-run/core";
import type { BlobPieces, BlobRow, NewBlob } from "../blobs/blobs.ts";
import { mobError } from "../errors.ts";
import { callMethod, type Calling, type Doors } from "./call-method.ts";
import { inTime } from "./in-time.ts";
import type { Method, Served } from "./method.ts";
import { readBytes } from "./request.ts";

/** Shown where they are; all else is a file to keep. */
const SHOWN = /^image\/(?:png|jpeg|webp|gif)$/;
/** Besides its file, what a form has of names and boundaries. */
const FORM_BYTES = 65_536;
const FORM = "multipart/form-data";
const NO_TYPE = "application/octet-stream";

/** It is not JSON that is asked for, or brought. */
export function hasBytes({ bytes }: Method, { headers }: Pick<IncomingMessage, "headers">): boolean {
  return bytes === "out" || bytes === "in" && headers["content-type"]?.toLowerCase().startsWith(FORM) === true;
}

/** Throws what `callMethod` does, `mob.parse`, `mob.too_large`, `mob.overloaded`. */
export async function upload(request: IncomingMessage, doors: Doors, { method, ...calling }: Calling & { readonly method: Method }): Promise<BlobRow> {
  // Its rights are asked for first; what it takes is read by what it does.
  const run = (served: Served): Promise<BlobRow> => served.blobs.guest(async () => {
    const { clock, limits } = served;
    const blob = await inTime(() => readForm(request, limits.blobBytesMax), { clock, ms: limits.requestMs, signal: calling.signal, writes: false });
    return await served.blobs.put(blob);
  });
  return await callMethod(doors, { ...method, run }, { ...calling, params: { media_type: NO_TYPE, data: "" } }) as BlobRow;
}

/** Throws what `callMethod` does; in the middle of it only that the caller is gone, or takes nothing for a minute. */
export async function download(
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse }, doors: Doors,
  { method, keys, ...calling }: Calling & { readonly method: Method; readonly keys: Readonly<Record<string, string>> },
): Promise<void> {
  const run = ({ blobs }: Served, { blob_id }: Pick<BlobRow, "blob_id">): Promise<BlobPieces> => blobs.pieces(blob_id);
  const { blob_id, media_type, size, pieces } = await callMethod(doors, { ...method, run }, { ...calling, params: keys }) as BlobPieces;
  const etag = `"${blob_id}"`;
  if (request.headers["if-none-match"] === etag) return void response.writeHead(304, { etag }).end();
  response.writeHead(200, {
    "content-type": media_type, "content-length": size, "content-disposition": SHOWN.test(media_type) ? "inline" : "attachment", etag,
    // Whoever has lost the right to see it asks again, and is told so.
    "cache-control": "private, no-cache", "x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin", "referrer-policy": "no-referrer",
  });
  const { clock, limits: { stalledMs } } = doors.served;
  for await (const piece of pieces) {
    calling.signal.throwIfAborted();
    if (response.write(piece)) continue;
    await withDeadline((signal) => once(response, "drain", { signal }), { clock, ms: stalledMs, signal: calling.signal, what: "a caller who takes a blob" });
  }
  response.end();
}

async function readForm(request: IncomingMessage, bytesMax: number): Promise<NewBlob> {
  const bytes = await readBytes(request, bytesMax + FORM_BYTES);
  const form = await new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { "content-type": request.headers["content-type"] ?? "" } }).formData().catch((cause: unknown) => {
    throw mobError("mob.parse", `the body is no ${FORM}`, { cause });
  });
  const parts = [...form.values()];
  const [file] = parts;
  if (parts.length !== 1 || file === undefined || typeof file === "string") {
    throw mobError("mob.invalid_request", `the form has ${parts.length} parts`, { hint: "It has one file: curl -F file=@picture.png." });
  }
  return { media_type: file.type === "" ? NO_TYPE : file.type, bytes: new Uint8Array(await file.arrayBuffer()) };
}
