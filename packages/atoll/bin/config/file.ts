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
