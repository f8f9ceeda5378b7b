/** Methods of blobs (spec: mob 6.4, 11.5): as JSON, in base64; over HTTP their bytes come and go as they are (`blob-bytes.ts`). */
import { z } from "zod";
import type { BlobRow } from "../blobs/blobs.ts";
import { mobError } from "../errors.ts";
import { method, type Method } from "./method.ts";
import { id } from "./schemas.ts";

const row = { blob_id: z.string(), media_type: z.string(), size: z.int().min(0) };
const blob = z.object(row).meta({ id: "Blob", description: "Bytes that are kept apart, by the hash of their media type and themselves." }) satisfies z.ZodType<BlobRow>;
const data = z.string().meta({ description: "Its bytes, in base64." });

export const BLOB_METHODS: readonly Method[] = [
  method({
    name: "blobs/put", writes: true, action: "blob.write", bytes: "in", summary: "Keeps bytes, at most 25 MiB; equal ones of one media type are one blob. A body of multipart/form-data with one file brings them as they are.",
    params: z.strictObject({ media_type: z.string().min(1).max(256), data }), result: blob,
    run: ({ blobs }, params) => blobs.guest(() => blobs.put({ media_type: params.media_type, bytes: bytesOf(params.data) })),
  }),
  method({
    name: "blobs/get", writes: false, action: "mob.view", bytes: "out", keys: ["blob_id"], summary: "A blob with its bytes. Over REST it is the bytes alone.",
    params: z.strictObject({ blob_id: id }), result: blob.extend({ data }),
    run: ({ blobs }, { blob_id }) => blobs.guest(async () => {
      const { bytes, ...about } = await blobs.get(blob_id);
      return { ...about, data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64") };
    }),
  }),
  method({
    name: "blobs/stat", writes: false, action: "mob.view", keys: ["blob_id"], summary: "Media type and size of a blob.", params: z.strictObject({ blob_id: id }), result: blob,
    run: ({ blobs }, { blob_id }) => blobs.stat(blob_id),
  }),
];

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function bytesOf(text: string): Uint8Array {
  if (text.length % 4 === 0 && BASE64.test(text)) return Buffer.from(text, "base64");
  throw mobError("mob.invalid_params", "data: is no base64", { facts: { path: "data" }, hint: "Or send the bytes as they are: POST /v1/blobs with one file as multipart/form-data." });
}
