/**
 * `mob.toml` and what stands beside it, as a definition (spec: mob 1).
 * takes the path of the file; gives a frozen definition, or every error of all its files at once, each with file and line; promises
 * that the files it names are there; refuses a section that stands in two places; never runs anything.
 */
import { existsSync, readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { isFault } from "@atoll-run/core";
import { readDefinition, type Locate, type MobDefinition, type Problem } from "@atoll-run/mob";
import { toPathText } from "@atoll-run/mob/internal";
import { builtinScript } from "./builtin.ts";
import { readTomlText, type TomlText } from "../toml/read-toml.ts";

/** What may stand in a file of its own, `approvals.toml`, as it would stand in `mob.toml`. */
const SECTIONS = ["approvals", "routes", "schedules", "contacts", "access", "console"];

interface Piece {
  /** As it was named by whoever asks. */
  readonly file: string;
  readonly toml: TomlText;
}

/**
 * Throws `mob.definition_invalid` with the fact `problems`.
 * @example const mob = await Mob.start({ definition: await loadMob("mob.toml"), stateDir: ".atoll/audit" });
 */
export async function loadMob(path: string): Promise<MobDefinition> {
  const problems: Problem[] = [];
  const main = readPiece(path, problems);
  const beside = SECTIONS.flatMap((section) => {
    const file = join(dirname(path), `${section}.toml`);
    const piece = existsSync(file) ? readPiece(file, problems) : undefined;
    return piece === undefined ? [] : [{ section, ...piece }];
  });
  const tree: Record<string, unknown> = { ...main?.toml.value };
  for (const { section, file, toml } of beside) {
    for (const key of Object.keys(toml.value)) {
      const at = { file, ...lineOf(toml, [key]) };
      if (key !== section) problems.push({ path: key, text: `${section}.toml holds ${section} alone`, hint: "write it in mob.toml", ...at });
      else if (Object.hasOwn(main?.toml.value ?? {}, key)) problems.push({ path: key, text: "stands in mob.toml too", hint: "keep one of the two", ...at });
      else tree[key] = toml.value[key];
    }
  }
  const locate: Locate = (at) => {
    const piece = beside.find(({ section, toml }) => section === at[0] && Object.hasOwn(toml.value, section)) ?? main;
    return piece === undefined ? undefined : placeOf(piece, at);
  };
  const folder = dirname(path);
  for (const { path: of, file } of scriptsOf(tree)) {
    const wrong = builtinProblem(file);
    if (wrong !== undefined) problems.push({ path: toPathText(of), ...wrong, ...locate(of) });
  }
  const files = main === undefined ? {} : hashesOf(filesOf(tree), { folder, problem: ({ path: of, file }, { code, message }) => {
    problems.push({ path: toPathText(of), text: code === "ENOENT" ? `there is no file ${resolve(folder, file)}` : message, ...locate(of) });
  } });
  // Of a file that cannot be read only that is said.
  return readDefinition(main === undefined ? { mob: { id: "unread" } } : tree, { locate, problems, files, source: resolve(path) });
}

function readPiece(file: string, problems: Problem[]): Piece | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const missing = { text: "is not there", hint: "write it: [mob] with an id and members, [profiles.<name>] with a script; or name the one that is meant; atoll mob demo needs none" };
    problems.push({ path: "the file", ...code === "ENOENT" ? missing : { text: message }, file });
    return undefined;
  }
  const toml = readTomlText(text);
  if (toml.ok) return { file, toml };
  problems.push({ path: "the file", text: `is not TOML: ${toml.problem}`, file, line: toml.line });
  return undefined;
}

/** Where it stands, or the nearest thing around it that is written. */
function placeOf({ file, toml }: Piece, path: Parameters<Locate>[0]): ReturnType<Locate> {
  for (let length = path.length; length > 0; length--) {
    const line = toml.lineOf(path.slice(0, length));
    if (line !== undefined) return { file, line };
  }
  return { file, line: 1 };
}

function lineOf({ lineOf: of }: TomlText, path: readonly string[]): { readonly line?: number } {
  const line = of(path);
  return line === undefined ? {} : { line };
}

interface Named {
  readonly path: readonly (string | number)[];
  readonly file: string;
}

function scriptsOf({ profiles }: Readonly<Record<string, unknown>>): readonly Named[] {
  return Object.entries(at({ profiles }, "profiles") ?? {}).flatMap(([name, of]) => toNamed(["profiles", name, "script"], at(of, "script")));
}

function builtinProblem(script: string): Pick<Problem, "text" | "hint"> | undefined {
  try {
    builtinScript(script);
    return undefined;
  } catch (error) {
    if (!isFault(error)) throw error;
    return { text: error.message, ...error.hint === undefined ? {} : { hint: `${error.hint[0]?.toLowerCase()}${error.hint.slice(1).replace(/\.$/, "")}` } };
  }
}

/** Scripts and texts that are files, but for scripts that come along. */
function filesOf({ profiles, mob }: Readonly<Record<string, unknown>>): readonly Named[] {
  const members = listOf(at(mob, "members")).map((member, index) => ({ path: ["mob", "members", index], of: member }));
  const all = [...Object.entries(at({ profiles }, "profiles") ?? {}).map(([name, of]) => ({ path: ["profiles", name], of })), ...members];
  return all.flatMap(({ path, of }): readonly Named[] => [
    ...toNamed([...path, "script"], at(of, "script")).filter(({ file }) => !file.includes(":")), ...toNamed([...path, "system"], at(at(of, "system"), "file")),
    ...["instructions", "skills"].flatMap((key) => listOf(at(of, key)).flatMap((text, index) => toNamed([...path, key, index], at(text, "file")))),
  ]);
}

function toNamed(path: Named["path"], file: unknown): readonly Named[] {
  return typeof file === "string" && file !== "" ? [{ path, file }] : [];
}

function at(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** What stands in each now; one that cannot be read is a problem. */
function hashesOf(named: readonly Named[], { folder, problem }: { readonly folder: string; readonly problem: (of: Named, error: NodeJS.ErrnoException) => void }): Readonly<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const one of named) {
    try {
      hashes[one.file] ??= createHash("sha256").update(readFileSync(resolve(folder, one.file))).digest("hex").slice(0, HASH_CHARS);
    } catch (error) {
      problem(one, error as NodeJS.ErrnoException);
    }
  }
  return hashes;
}

const HASH_CHARS = 32;
