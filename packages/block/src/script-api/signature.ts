/**
 * Reads signatures and types of the declaration. Types: `string number integer boolean table userdata nil any
 * function`, `json` (any plain data), the name of a shape, `"literal"`, `T[]`, `{[string]: T}`,
 * `fn(a: T, b: T?) -> R` (one result), `A | B`, `(T)`.
 */

export type Type =
  | { readonly is: "name"; readonly name: string }
  | { readonly is: "literal"; readonly text: string }
  | { readonly is: "list"; readonly of: Type }
  | { readonly is: "map"; readonly of: Type }
  | { readonly is: "function"; readonly params: readonly Param[]; readonly results: readonly Result[] }
  | { readonly is: "union"; readonly of: readonly Type[] };

export interface Result {
  readonly type: Type;
  readonly optional: boolean;
  /** Any number of them. */
  readonly rest: boolean;
}

export interface Param extends Result {
  readonly name: string;
}

export interface Signature {
  readonly waits: boolean;
  /** `std.kv.get`. */
  readonly name: string;
  readonly params: readonly Param[];
  readonly results: readonly Result[];
}

export function readSignature(text: string): Signature {
  const r = new Reader(text);
  const waits = r.take("~");
  const name = r.word();
  const { params, results } = r.call(Infinity);
  r.end();
  return { waits, name, params, results };
}

/** `name: type?`, as of a field or a value; the name may have dots. */
export function readField(text: string): Param {
  const r = new Reader(text);
  const field = r.param();
  r.end();
  return field;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(what: string): boolean {
    this.#blanks();
    if (!this.#text.startsWith(what, this.#at)) return false;
    this.#at += what.length;
    return true;
  }

  need(what: string): void {
    if (!this.take(what)) this.#fail(`'${what}' expected`);
  }

  end(): void {
    this.#blanks();
    if (this.#at < this.#text.length) this.#fail("more than one declaration");
  }

  word(): string {
    this.#blanks();
    const found = /^[A-Za-z_][\w.]*/.exec(this.#text.slice(this.#at))?.[0];
    if (found === undefined) return this.#fail("a name expected");
    this.#at += found.length;
    return found;
  }

  /** `(a: T, ...b: T) -> R, R?`. */
  call(resultsMax: number): { params: Param[]; results: Result[] } {
    this.need("(");
    const params: Param[] = [];
    while (!this.take(")")) {
      if (params.length > 0) this.need(",");
      params.push(this.param());
    }
    const results: Result[] = [];
    if (this.take("->")) do results.push(this.#result()); while (results.length < resultsMax && this.take(","));
    return { params, results };
  }

  param(): Param {
    const rest = this.take("...");
    const name = this.word();
    this.need(":");
    const type = this.#type();
    return { name, type, optional: this.take("?"), rest };
  }

  #result(): Result {
    const rest = this.take("...");
    const type = this.#type();
    return { type, optional: this.take("?"), rest };
  }

  #type(): Type {
    const of = [this.#listed()];
    while (this.take("|")) of.push(this.#listed());
    return of.length === 1 ? of[0] as Type : { is: "union", of };
  }

  #listed(): Type {
    let type = this.#primary();
    while (this.take("[]")) type = { is: "list", of: type };
    return type;
  }

  #primary(): Type {
    if (this.take("(")) {
      const type = this.#type();
      this.need(")");
      return type;
    }
    if (this.take("{[string]:")) {
      const type = this.#type();
      this.need("}");
      return { is: "map", of: type };
    }
    if (this.take('"')) {
      const end = this.#text.indexOf('"', this.#at);
      const text = this.#text.slice(this.#at, end);
      this.#at = end + 1;
      return { is: "literal", text };
    }
    const name = this.word();
    return name === "fn" ? { is: "function", ...this.call(1) } : { is: "name", name };
  }

  #blanks(): void {
    while (this.#text[this.#at] === " ") this.#at++;
  }

  #fail(problem: string): never {
    throw new Error(`${this.#text}: ${problem} at ${this.#at + 1}`);
  }
}
