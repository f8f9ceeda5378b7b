/**
 * `--result`: how the run ended, as one JSON object. The file is opened before the run, so that a wrong path
 * is told early.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { BlockResult } from "@atoll-run/block";
import { blockError } from "@atoll-run/block";
import { isFault, type Json, type Redactor, stringifyJson, toFaultData } from "@atoll-run/core";
import { inherit } from "../../src/compose/inherit.ts";
import { reason } from "./inputs.ts";

export type Ending =
  | { readonly result: BlockResult }
  | { readonly error: unknown; readonly duration_ms: number };

export interface ResultFile {
  write(ending: Ending, exitCode: number): void;
}

/** `path`: `-` is standard output. Throws `io.failed` when the file cannot be opened. */
export function openResult(path: string | undefined, redactor: Redactor): ResultFile {
  if (path === undefined) return { write: () => undefined };
  if (path === "-") {
    return { write: (ending, exitCode) => void inherit("stdout", toText(ending, exitCode, redactor)) };
  }
  const file = attempt(path, () => openSync(path, "a"));
  return {
    write: (ending, exitCode) => attempt(path, () => {
      try {
        const bytes = Buffer.from(toText(ending, exitCode, redactor));
        truncate(file);
        for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
      } finally {
        closeSync(file);
      }
    }),
  };
}

/** A pipe or a terminal has no length. */
function truncate(file: number): void {
  try {
    ftruncateSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
  }
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw blockError("io.failed", `I/O error: --result '${path}': ${reason(cause)}`,
      { facts: { path }, cause });
  }
}

function toText(ending: Ending, exitCode: number, redactor: Redactor): string {
  const written = stringifyJson(toJson(ending, exitCode, redactor));
  if (!written.ok) throw new Error(`the result has no JSON form: ${written.problem}`);
  return `${written.text}\n`;
}

function toJson(ending: Ending, exitCode: number, redactor: Redactor): Json {
  if ("result" in ending) return { ...ending.result, exit_code: exitCode } as unknown as Json;
  const { error, duration_ms } = ending;
  const fault = isFault(error) ? toFaultData(error) : { code: "internal", text: String(error) };
  return { value: null, outcome: "failed", exit_code: exitCode, duration_ms,
    error: redactor.json(fault as unknown as Json) };
}
