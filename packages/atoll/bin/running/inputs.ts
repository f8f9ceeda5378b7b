/**
 * What a run reads before it starts: grants, prompt, context, script from standard input, `.env` for masking.
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Problem, Setting } from "@atoll-run/core";
import { blockError } from "@atoll-run/block";
import type { PlacedGrant } from "../config/file.ts";
import type { TextOrFile } from "../config/run.ts";

/** No script is larger; more is a mistake, such as a device. */
const SCRIPT_BYTES_MAX = 64 * 1_048_576;

export type GrantsSource = { readonly grants: readonly PlacedGrant[]; readonly problems: readonly Problem[] };

/** `--grants FILE`, or its variable, which may also hold the list itself. */
export async function readGrantsSetting(setting: Setting | undefined): Promise<GrantsSource> {
  if (setting === undefined) return { grants: [], problems: [] };
  const { where, text } = setting;
  // Most runs have no such file: the reader of TOML is loaded when there is one.
  const { readGrants } = await import("../config/file.ts");
  const isList = !where.name.startsWith("--") && text.trim().startsWith("[");
  let content = text;
  try {
    if (!isList) content = readFileSync(text, "utf8");
  } catch (error) {
    return { grants: [], problems: [{ where, problem: `cannot read '${text}': ${reason(error)}` }] };
  }
  const reading = readGrants(content, isList ? where : { ...where, file: text });
  return reading.ok ? { grants: reading.grants, problems: [] } : { grants: [], problems: reading.problems };
}

/** The text of `--prompt` or of the file of `--prompt-file`; throws `io.failed` when that cannot be read. */
export function readText(given: TextOrFile | undefined): string | undefined {
  if (given?.file === undefined) return given?.text;
  try {
    return readFileSync(given.file, "utf8");
  } catch (cause) {
    throw blockError("io.failed", `failed to read ${given.flag} '${given.file}': ${reason(cause)}`,
      { facts: { path: given.file }, cause });
  }
}

/** The script from standard input. Throws `script.not_found` when it cannot be read or is too large. */
export async function readStandardInput(): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of process.stdin as AsyncIterable<Buffer>) {
      parts.push(part);
      bytes += part.length;
      if (bytes > SCRIPT_BYTES_MAX) throw new Error(`more than ${SCRIPT_BYTES_MAX} bytes`);
    }
  } catch (cause) {
    throw blockError("script.not_found", `script error: standard input: ${reason(cause)}`, { cause });
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The folder `blocks/` beside the program, when there is one: its modules are found after those of the project. */
export function programBlocks(program: string | undefined): string | undefined {
  if (program === undefined) return undefined;
  try {
    const folder = join(dirname(realpathSync(program)), "blocks");
    return statSync(folder).isDirectory() ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** The project's `.env`, empty when there is none: what cannot be read is told by the block. */
export function readDotenv(project: string): string {
  try {
    return readFileSync(join(project, ".env"), "utf8");
  } catch {
    return "";
  }
}

/** What is wrong with a folder that was given under this name; nothing when it is one. */
export function folderProblems(name: string, path: string): Problem[] {
  let problem = "Not a directory";
  try {
    if (statSync(path).isDirectory()) return [];
  } catch (error) {
    problem = reason(error);
  }
  return [{ where: { name }, problem: `'${path}': ${problem}` }];
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory", EACCES: "Permission denied", EISDIR: "Is a directory",
  ENOTDIR: "Not a directory", ELOOP: "Too many levels of symbolic links", ENOSPC: "No space left on device",
};

/** Why the system refused, in its own words. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return WORDS[code ?? ""] ?? message;
}
