/**
 * Where each key of a TOML text stands.
 *
 * takes a text that has been parsed, so it is TOML; gives the line of each path in it; promises to end on any text; refuses
 * nothing: what it does not understand has no line; never reads values.
 */

/** Names of tables, numbers of list items, such as `["mob", "members", 2, "profile"]`. */
export type TomlPath = readonly (string | number)[];
export type LineOf = (path: TomlPath) => number | undefined;

export function tomlLines(text: string): LineOf {
  const scan = new Scan(text);
  scan.document();
  return (path) => scan.lines.get(keyOf(path));
}

/** Nobody asks for the lines of what lies deeper. */
const DEEP = 64;

function keyOf(path: TomlPath): string {
  return JSON.stringify(path);
}

class Scan {
  readonly lines = new Map<string, number>();
  /** How many items a list of tables has so far. */
  readonly #items = new Map<string, number>();
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    let table: TomlPath = [];
    for (this.#skip(true); this.#at < this.#text.length; this.#skip(true)) {
      const before = this.#at;
      if (this.#take("[[")) {
        table = this.#listItem(this.#names());
        this.#rest();
      } else if (this.#take("[")) {
        const names = this.#names();
        table = this.#place(names);
        this.#note(table);
        this.#rest();
      } else this.#pair(table);
      if (this.#at === before) this.#move(1);
    }
  }

  /** What names of a header mean: the last item, where they pass a list of tables. */
  #place(names: readonly string[]): TomlPath {
    const path: (string | number)[] = [];
    for (const name of names) {
      path.push(name);
      const items = this.#items.get(keyOf(path));
      if (items !== undefined) path.push(items - 1);
    }
    return path;
  }

  #listItem(names: readonly string[]): TomlPath {
    const list = [...this.#place(names.slice(0, -1)), names.at(-1) ?? ""];
    const items = this.#items.get(keyOf(list)) ?? 0;
    this.#items.set(keyOf(list), items + 1);
    this.#note([...list, items]);
    return [...list, items];
  }

  /** `a.b = value`. */
  #pair(table: TomlPath): void {
    const path = [...table, ...this.#names()];
    this.#note(path);
    this.#skip(false);
    if (!this.#take("=")) return this.#rest();
    this.#value(path);
  }

  /** Of all that leads there too, when it is new. */
  #note(path: TomlPath): void {
    for (let length = 1; length <= Math.min(path.length, DEEP); length++) {
      const key = keyOf(path.slice(0, length));
      if (!this.lines.has(key)) this.lines.set(key, this.#line);
    }
  }

  #names(): readonly string[] {
    const names: string[] = [];
    for (;;) {
      this.#skip(false);
      const quoted = this.#text[this.#at] === "\"" || this.#text[this.#at] === "'";
      const name = quoted ? this.#string() : this.#word(/[A-Za-z0-9_-]+/y);
      names.push(name);
      this.#skip(false);
      if (!this.#take(".")) return names;
    }
  }

  #value(path: TomlPath): void {
    this.#skip(false);
    if (this.#take("[")) this.#list(path);
    else if (this.#take("{")) this.#table(path);
    else if (this.#text[this.#at] === "\"" || this.#text[this.#at] === "'") this.#string();
    else this.#word(/[^,\]}\n#]+/y);
  }

  #list(path: TomlPath): void {
    for (let item = 0; this.#at < this.#text.length; item++) {
      this.#skip(true);
      if (this.#take("]")) return;
      const before = this.#at;
      this.#note([...path, item]);
      this.#value([...path, item]);
      this.#skip(true);
      this.#take(",");
      if (this.#at === before) return;
    }
  }

  #table(path: TomlPath): void {
    while (this.#at < this.#text.length) {
      this.#skip(true);
      if (this.#take("}")) return;
      const before = this.#at;
      this.#pair(path);
      this.#skip(true);
      this.#take(",");
      if (this.#at === before) return;
    }
  }

  /** Without what escapes mean: a key that has one is not found. */
  #string(): string {
    const quote = this.#text[this.#at] ?? "";
    const long = this.#text.startsWith(quote.repeat(3), this.#at);
    const close = long ? quote.repeat(3) : quote;
    this.#move(close.length);
    const from = this.#at;
    while (this.#at < this.#text.length && !this.#text.startsWith(close, this.#at)) {
      this.#move(quote === "\"" && this.#text[this.#at] === "\\" ? 2 : 1);
    }
    const body = this.#text.slice(from, this.#at);
    this.#move(close.length);
    // Quotes that belong to the text may stand just before those that close it.
    if (long) this.#word(/["']{0,2}/y);
    return body;
  }

  #word(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [word = ""] = pattern.exec(this.#text) ?? [];
    this.#move(word.length);
    return word;
  }

  /** The rest of the line. */
  #rest(): void {
    this.#word(/[^\n]*/y);
  }

  /** Blanks and comments; line ends too. */
  #skip(lines: boolean): void {
    for (;;) {
      const before = this.#at;
      this.#word(lines ? /[ \t\r\n]+/y : /[ \t]+/y);
      if (lines && this.#text[this.#at] === "#") this.#rest();
      if (this.#at === before) return;
    }
  }

  #take(sign: string): boolean {
    if (!this.#text.startsWith(sign, this.#at)) return false;
    this.#move(sign.length);
    return true;
  }

  #move(count: number): void {
    const end = Math.min(this.#text.length, this.#at + count);
    for (; this.#at < end; this.#at++) if (this.#text[this.#at] === "\n") this.#line += 1;
  }
}
