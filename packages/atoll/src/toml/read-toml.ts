/** TOML with the line of each key: the one file that knows how TOML is parsed. Pure: takes the text. */
import { parse, TomlError } from "smol-toml";
import { tomlLines, type LineOf } from "./toml-lines.ts";

export interface TomlText {
  readonly ok: true;
  readonly value: Readonly<Record<string, unknown>>;
  /** From 1; undefined for what is not written there. */
  readonly lineOf: LineOf;
}

export type TomlRead = TomlText | { readonly ok: false; readonly problem: string; readonly line: number };

export function readTomlText(text: string): TomlRead {
  try {
    const value = parse(text);
    let lineOf: LineOf | undefined;
    // Who has no complaint needs no lines.
    return { ok: true, value, lineOf: (path) => (lineOf ??= tomlLines(text))(path) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML";
    return { ok: false, problem: reason, line: error.line };
  }
}
