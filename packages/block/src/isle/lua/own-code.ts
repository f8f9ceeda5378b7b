/**
 * Bytecode of our own Lua code, by chunk name. A thread compiles what it meets for the first time; a built program
 * brings all of it in a file beside its code, since compiling takes longer than the rest of an isle's start.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";

/** Written by the build from the very code it lies beside; the sources have none. */
const FILE = "isle-code.bin";

let known: Map<string, Uint8Array> | undefined;

/** What is compiled so far; whoever compiles more adds it. */
export function ownCode(): Map<string, Uint8Array> {
  known ??= readFile();
  return known;
}

function readFile(): Map<string, Uint8Array> {
  try {
    return deserialize(readFileSync(join(import.meta.dirname, FILE))) as Map<string, Uint8Array>;
  } catch {
    return new Map();
  }
}

/** `folder`: where the code of a built program lies. */
export function writeOwnCode(folder: string): void {
  writeFileSync(join(folder, FILE), serialize(ownCode()));
}
