/** What stands for a blob among values: a content block that names it (spec: mob 3.7, 9.5). Pure. */
import type { Json } from "@atoll-run/core";
import type { BlobRow, NewBlob } from "./blobs.ts";

export interface Ref extends BlobRow {
  readonly type: "ref";
  readonly [key: string]: Json;
}

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";

export function toRef({ blob_id, media_type, size }: BlobRow): Ref {
  return { type: "ref", blob_id, media_type, size };
}

/** A text is kept as a text, all else as JSON. */
export function toBlob(value: Json): NewBlob {
  const text = typeof value === "string";
  return { media_type: text ? TEXT : JSON_TYPE, bytes: Buffer.from(text ? value : JSON.stringify(value)) };
}

/** The value that was made a blob. */
export function fromBlob({ media_type, bytes }: NewBlob): Json {
  const text = Buffer.from(bytes).toString();
  return media_type === JSON_TYPE ? JSON.parse(text) as Json : text;
}

/** It says so of itself: whether there is such a blob shows when it is asked for. */
export function isRef(value: Json | undefined): value is Ref {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { type, blob_id } = value as { readonly [key: string]: Json };
  return type === "ref" && typeof blob_id === "string";
}
