/**
 * File errors as scripts know them: `fs.read: <path>: No such file or directory`, and `<path>: …` for `io`
 * and `os`.
 */
import { isFault } from "@atoll-run/core";
import { type SystemFacts, systemFacts, systemFactsOf } from "../../errno.ts";
import { type BlockCode, blockError } from "../../errors.ts";
import { readText, wrongType } from "../arguments.ts";
import type { Value } from "../op.ts";

const CODES: Readonly<Record<string, BlockCode>> = {
  ENOENT: "fs.not_found", EACCES: "fs.denied", EPERM: "fs.denied", EROFS: "fs.denied",
  EMFILE: "fs.limit", ENFILE: "fs.limit",
};

/**
 * The fault for what a file operation threw. `fn` begins the text (`fs.read`), undefined for `io` and `os`,
 * which have none; facts carry `errno` and `strerror`, the second and third value of Lua's own functions.
 * Refusals pass unchanged.
 */
export function fileFault(fn: string | undefined, path: string | undefined, error: unknown): unknown {
  const front = fn === undefined ? "" : `${fn}: `;
  if (isFault(error)) {
    if (!error.code.startsWith("fs.") || front === "" || error.message.startsWith(front)) return error;
    return blockError(error.code as BlockCode, front + error.message, { facts: error.facts, cause: error });
  }
  const facts = systemFactsOf(error);
  if (facts === undefined) return error;
  const where = path === undefined ? "" : `${path}: `;
  return blockError(CODES[facts.name] ?? "fs.failed", `${front}${where}${facts.strerror}`, {
    facts: { ...facts, ...(path === undefined ? {} : { path }) }, cause: error,
  });
}

/** An error as the system would give it. */
export function systemError(name: string): Error {
  const facts: SystemFacts = systemFacts(name);
  return Object.assign(new Error(facts.strerror), { code: name, errno: -facts.errno });
}

/** Runs a file operation and gives its errors their text. */
export async function named<T>(
  fn: string | undefined, path: string | undefined, act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw fileFault(fn, path, error);
  }
}

/** A path of a script: text without NUL. `at` is the number of the argument. */
export function readPath(fn: string, value: Value, at = 1): string {
  const where = `${fn}: argument #${at}`;
  return readText(where, value) ?? wrongType(where, "string", value);
}
