/**
 * How the script API is declared: every function a script sees, once. From it come the host calls of
 * `bridges/api.ts`, the types of `@atoll-run/atoll/script`, the stubs for Lua editors and `docs/lua-api.md`
 * (`npm run api`). Nothing here is loaded while a script runs.
 */

export interface ApiFunction {
  /**
   * `~std.kv.get(ns: string, key: string) -> json?`: `~` waits for the host, `?` behind a type means it may
   * be left out or nil, `...x` stands for all that follow. Types: signature.ts.
   */
  readonly signature: string;
  /** One sentence. */
  readonly doc: string;
  /** By name of the parameter. */
  readonly params: Readonly<Record<string, string>>;
  /** Codes it raises besides `script.argument`, `grant.denied` and those of a cancel. */
  readonly errors: readonly string[];
  /** Lua that calls it; a test runs it. In it `https://example.com` is a server and `bob` a peer. */
  readonly example: string;
  /** What the example needs first; not shown. */
  readonly before: string;
  /** A plain call of the host: declared in `bridges/api.ts` from here. */
  readonly host: boolean;
  /** Only in the isle of the script. */
  readonly mainOnly: boolean;
  /** Its signature in TypeScript where that says more; "" = not in JavaScript. */
  readonly js: string | undefined;
}

/** A table with known fields; with methods when it is a handle. */
export interface ApiShape {
  readonly name: string;
  readonly doc: string;
  /** `["affected: integer", "Rows that changed."]`. */
  readonly fields: Readonly<Record<string, string>>;
  readonly methods: readonly ApiFunction[];
}

/** A value that is no function. */
export interface ApiValue {
  /** `std.sql.null: userdata`. */
  readonly signature: string;
  readonly doc: string;
  /** Not in JavaScript under this name. */
  readonly luaOnly: boolean;
}

/** One table of functions, as scripts name it. */
export interface ApiModule {
  /** `std.kv`; a block that is required: `agent`. */
  readonly name: string;
  readonly doc: string;
  /** Reached by `require(name)`, not by a global. */
  readonly required: boolean;
  readonly values: readonly ApiValue[];
  readonly functions: readonly ApiFunction[];
  readonly shapes: readonly ApiShape[];
}

interface More {
  readonly params?: ApiFunction["params"];
  /** Codes with spaces between. */
  readonly errors?: string;
  readonly example: string;
  readonly before?: string;
  readonly host?: boolean;
  readonly mainOnly?: boolean;
  readonly js?: string;
}

export function fn(signature: string, doc: string, more: More): ApiFunction {
  const { params = {}, errors = "", example, before = "", host = false, mainOnly = false, js } = more;
  const codes = errors === "" ? [] : errors.split(" ");
  return { signature, doc, params, errors: codes, example, before, host, mainOnly, js };
}

export function shape(
  name: string, doc: string, fields: ApiShape["fields"], methods: readonly ApiFunction[] = [],
): ApiShape {
  return { name, doc, fields, methods };
}

export function value(signature: string, doc: string, o: { luaOnly?: boolean } = {}): ApiValue {
  return { signature, doc, luaOnly: o.luaOnly === true };
}

export function apiModule(
  name: string, doc: string, parts: Partial<Omit<ApiModule, "name" | "doc">>,
): ApiModule {
  return { name, doc, required: false, values: [], functions: [], shapes: [], ...parts };
}
