/**
 * Bytecode of our own Lua code, by chunk name. A thread compiles what it meets for the first time; a built program
 * brings all of it in a file beside its code, since compiling takes longer than the rest of an isle's start.
 */
import { join } from "node:path";

/**
 * Written by the build from the very code it lies beside; the sources have none. A line of JSON with name and length of
 * each chunk, then the bytes of all.
 */
const FILE = "isle-code.bin";
const LINE_FEED = 10;
/** Not imported: an import would also load all that `node:fs` gives when it is asked for, some 4 ms of a thread's start. */
const fs = process.getBuiltinModule("node:fs");

let known: Map<string, Uint8Array> | undefined;

/** What is compiled so far; whoever compiles more adds it. */
export function ownCode(): Map<string, Uint8Array> {
  known ??= readFile();
  return known;
}

function readFile(): Map<string, Uint8Array> {
  try {
    const file = fs.readFileSync(join(import.meta.dirname, FILE));
    const end = file.indexOf(LINE_FEED);
    let at = end + 1;
    return new Map((JSON.parse(file.toString("utf8", 0, end)) as [string, number][])
      .map(([chunk, size]) => [chunk, file.subarray(at, at += size)]));
  } catch {
    return new Map();
  }
}

/** `folder`: where the code of a built program lies. */
export function writeOwnCode(folder: string): void {
  const chunks = [...ownCode()];
  const line = `${JSON.stringify(chunks.map(([chunk, code]) => [chunk, code.length]))}\n`;
  fs.writeFileSync(join(folder, FILE), Buffer.concat([Buffer.from(line), ...chunks.map(([, code]) => code)]));
}
