/** Reads the vectors beside the codecs as a program in another language would. */
import { readFileSync } from "node:fs";

const FOLDER = new URL("../../src/codec/vectors/", import.meta.url);

export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8")) as T;
}

/** Hex; blanks mean nothing, `61*257` is that word 257 times. */
export function fromHex(text: string): Uint8Array {
  const hex = text.split(" ").map((word) => {
    const [part = "", times = "1"] = word.split("*");
    return part.repeat(Number(times));
  }).join("");
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** `{"utf8": "…"}` and `{"hex": "…"}` are bytes, wherever they stand. */
export function withBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBytes);
  if (typeof value !== "object" || value === null) return value;
  const { utf8, hex } = value as { utf8?: string; hex?: string };
  if (utf8 !== undefined) return Uint8Array.from(Buffer.from(utf8));
  if (hex !== undefined) return fromHex(hex);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withBytes(one)]));
}
