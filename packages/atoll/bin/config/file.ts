/**
 * Files of settings: a list of grants as TOML or JSON. The one file that knows TOML. Pure: takes the text.
 */
import { parse, TomlError } from "smol-toml";
import type { Problem, Where } from "@atoll-run/core";

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
  try {
    // A list alone becomes the value of a key, on the line where it stands.
    return { value: parse(bare ? text.replace("[", "grants = [") : text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML";
    return { where: { ...where, ...(where.file === undefined ? {} : { line: error.line }) },
      problem: `neither TOML nor JSON: ${reason}` };
  }
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
  try {
    return { ok: true, value: parse(text), whereOf: (path) => whereOf(text, where, path) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML";
    return { ok: false, problems: [{ where: { ...where, line: error.line }, problem: `not TOML: ${reason}` }] };
  }
}

/** Finds headers and keys as they are usually written; what it does not find has no line. */
function whereOf(text: string, { file }: Where, path: readonly string[]): Where {
  const name = path.join(".");
  const last = path.at(-1) ?? "";
  const lines = text.split("\n").map((line) => line.trim());
  const heads = lines.flatMap((line, at) => {
    const match = /^\[+([^\]]*)\]+/.exec(line);
    return match === null ? [] : [{ at, name: (match[1] ?? "").replaceAll(/["'\s]/g, "") }];
  });
  const listed = /^(.*)\[(\d+)\]$/.exec(path[1] ?? "");
  const section = listed === null ? path.slice(0, -1).join(".") : `${path[0] ?? ""}.${listed[1] ?? ""}`;
  const same = heads.filter((head) => head.name === (listed === null ? section : section));
  const head = same[Number(listed?.[2] ?? 0)];
  const isHead = path.length === 1 || (listed !== null && path.length === 2);
  const whole = path.length === 1 ? heads.find((one) => one.name === last || one.name.startsWith(`${last}.`)) : head;
  const start = head?.at ?? -1;
  const end = heads.find(({ at }) => at > start)?.at ?? lines.length;
  const key = lines.findIndex((line, at) => at > start && at < end && new RegExp(`^["']?${escape(last)}["']?\\s*=`).test(line));
  const line = isHead ? whole?.at ?? key : section !== "" && head === undefined ? -1 : key;
  return { ...file === undefined ? {} : { file }, name, ...line < 0 ? {} : { line: line + 1 } };
}

function escape(word: string): string {
  return word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
