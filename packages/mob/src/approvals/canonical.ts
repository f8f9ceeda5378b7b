/** JSON in one spelling (RFC 8785): keys sorted by UTF-16 units, no white space, numbers as ECMAScript writes them. */
import type { Json } from "@atoll-run/core";

export function toCanonical(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => toCanonical(item)).join(",")}]`;
  const entries = Object.entries(value as { readonly [key: string]: Json }).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${toCanonical(item)}`).join(",")}}`;
}
