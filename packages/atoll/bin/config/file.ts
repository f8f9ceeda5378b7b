/**
 * Files of settings: a list of grants as TOML or JSON, and whole files. Pure: takes the text.
 */
import type { Problem, Where } from "@atoll-run/core";
import { readTomlText } from "../../src/toml/read-toml.ts";

export interface PlacedGrant {
  readonly where: Where;
  readonly text: string;
}

export type GrantsReading =
  | { readonly ok: true; readonly grants: readonly PlacedGrant[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * A list alone (`["net:api.example.com", …]`, TOML and JSON agree on it), or a table that holds it as
 * `grants`. `where.file` is absent when the text is a variable's.
 */
export function readGrants(text: string, where: Where): GrantsReading {
  const parsed = parseText(text, where);
  if ("problem" in parsed) return { ok: false, problems: [parsed] };
  const { value } = parsed;
  const others = Object.keys(value).filter((key) => key !== "grants");
  const problems: Problem[] = others.map((key) => ({
    where: at(where, text, key), problem: `"${key}" is not a key of a grants file`,
    hint: "It holds one list: grants = [\"net:api.example.com\"].",
  }));
  const list = value["grants"];
  problems.push(...problemsOfList(list, where));
  if (problems.length > 0) return { ok: false, problems };
  const grants = (list as string[]).map((grant) => ({ where: at(where, text, grant), text: grant }));
  return { ok: true, grants };
}

function problemsOfList(list: unknown, where: Where): Problem[] {
  if (!Array.isArray(list)) {
    const hint = "Write grants = [\"net:api.example.com\"].";
    return [{ where, problem: "there is no list of grants", hint }];
  }
  const wrong = list.filter((item) => typeof item !== "string");
  return wrong.map((item) => ({ where, problem: `${JSON.stringify(item)} is not text` }));
}

type Parsed = { readonly value: Readonly<Record<string, unknown>> } | Problem;

function parseText(text: string, where: Where): Parsed {
  const bare = /^\s*(#.*\s*)*\[\s*(["'\]#]|$)/.test(text);
  const json = readJson(text);
  if (Array.isArray(json)) return { value: { grants: json } };
  if (json !== undefined) return { value: json as Record<string, unknown> };
  // A list alone becomes the value of a key, on the line where it stands.
  const read = readTomlText(bare ? text.replace("[", "grants = [") : text);
  if (read.ok) return { value: read.value };
  return {
    where: { ...where, ...(where.file === undefined ? {} : { line: read.line }) }, problem: `neither TOML nor JSON: ${read.problem}`,
  };
}

function readJson(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The first line that holds the word. */
function at(where: Where, text: string, word: string): Where {
  if (where.file === undefined) return where;
  const line = text.split("\n").findIndex((one) => one.includes(word));
  return line < 0 ? where : { ...where, line: line + 1 };
}

export interface TomlFile {
  readonly ok: true;
  readonly value: Readonly<Record<string, unknown>>;
  /** Where a key stands: its section, then the key; `rules[1]` is the second `[[acl.rules]]`. */
  whereOf(path: readonly string[]): Where;
}

export type TomlReading = TomlFile | { readonly ok: false; readonly problems: readonly Problem[] };

/** A whole file of settings. */
export function readToml(text: string, where: Where): TomlReading {
  const read = readTomlText(text);
  if (!read.ok) return { ok: false, problems: [{ where: { ...where, line: read.line }, problem: `not TOML: ${read.problem}` }] };
  const { file } = where;
  return { ok: true, value: read.value, whereOf: (path) => {
    const line = read.lineOf(path.flatMap(toSteps));
    return { ...file === undefined ? {} : { file }, name: path.join("."), ...line === undefined ? {} : { line } };
  } };
}

/** `rules[1]` is the second of a list. */
function toSteps(step: string): readonly (string | number)[] {
  const [, name, item] = /^(.*)\[(\d+)\]$/.exec(step) ?? [];
  return name === undefined ? [step] : [name, Number(item)];
}
