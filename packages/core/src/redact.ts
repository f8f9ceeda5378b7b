/**
 * Masks known secret values wherever they would be seen: logs, dumps, events, errors, ledger entries (block
 * 8.4).
 */
import { LuaFloat, type Json } from "./json.ts";
import type { Secret } from "./secret.ts";

/** What stands where a secret was. */
export const REDACTED = "[REDACTED]";

/** Values shorter than this many characters are not masked: they would match by chance and hide nothing. */
const VALUE_CHARS_MIN = 4;
const VALUES_MAX = 4_096;

/** Knows the secret values of one block or program. */
export class Redactor {
  readonly #values = new Set<string>();
  #pattern: RegExp | undefined;

  /**
   * Masks this value from now on, also where it is escaped for JSON or for a URL. False when it is shorter
   * than 4 characters, or when 4,096 values are known: then do not use what cannot be masked.
   */
  add(value: string | Secret): boolean {
    const plain = typeof value === "string" ? value : value.reveal();
    let done = false;
    for (const form of new Set([plain, plain.trim()])) done = this.#addForm(form) || done;
    return done;
  }

  /** The text with every known value masked; of values that overlap the longest first. */
  text(text: string): string {
    if (this.#values.size === 0) return text;
    this.#pattern ??= toPattern(this.#values);
    return text.replace(this.#pattern, REDACTED);
  }

  /** The value with all texts in it masked, keys too. What is not text stays the same. */
  json(value: Json): Json {
    if (this.#values.size === 0) return value;
    if (typeof value === "string") return this.text(value);
    if (typeof value !== "object" || value === null || (value as object) instanceof LuaFloat) return value;
    if (Array.isArray(value)) return value.map((item: Json) => this.json(item));
    const entries = Object.entries(value as Readonly<Record<string, Json>>);
    return Object.fromEntries(entries.map(([key, item]) => [this.text(key), this.json(item)]));
  }

  #addForm(plain: string): boolean {
    if (plain.length < VALUE_CHARS_MIN) return false;
    if (this.#values.has(plain)) return true;
    if (this.#values.size >= VALUES_MAX) return false;
    this.#values.add(plain);
    this.#values.add(JSON.stringify(plain).slice(1, -1));
    this.#values.add(encodeURIComponent(plain.toWellFormed()));
    this.#pattern = undefined;
    return true;
  }
}

function toPattern(values: ReadonlySet<string>): RegExp {
  const longestFirst = [...values].sort((a, b) => b.length - a.length);
  const literal = longestFirst.map((value) => value.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  return new RegExp(literal.join("|"), "g");
}

/**
 * A URL as it may be logged: without userinfo, query and fragment; what is no URL is also cut to 16 and
 * marked `...`.
 */
export function maskUrl(text: string): string {
  const head = text.replace(/[?#].*$/s, "");
  if (URL.canParse(text)) {
    const url = new URL(text);
    if (url.host !== "" || url.protocol === "file:") {
      url.username = url.password = url.search = url.hash = "";
      // The parser adds a slash to a bare host; what the caller wrote had none.
      return url.pathname === "/" && !head.endsWith("/") ? url.href.slice(0, -1) : url.href;
    }
  }
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(head)?.[0] ?? "";
  const rest = head.slice(scheme.length);
  const shown = scheme + rest.slice(rest.lastIndexOf("@") + 1);
  return `${[...shown].slice(0, 16).join("")}...`;
}
