/** What a Lua value is, told as plain data, and whether it is what the declaration says. */
import type { ApiShape } from "../../src/script-api/declare.ts";
import { readField, type Result, type Type } from "../../src/script-api/signature.ts";

/** Lua: `describe(v)` for `Seen`. */
export const DESCRIBE = String.raw`
local function describe(v, depth)
  if v == std.sql.null then return {t = "null"} end
  local t = math.type(v) or type(v)
  if t == "float" then t = "number" end
  if t == "string" then return {t = t, text = utf8.len(v) and #v < 200 and v or ""} end
  if t ~= "table" or depth > 6 then return {t = t} end
  local keys, items = {}, {}
  for k, x in next, v do
    if math.type(k) == "integer" then items[#items + 1] = describe(x, depth + 1)
    else keys[tostring(k)] = describe(x, depth + 1) end
  end
  return {t = t, keys = keys, items = items}
end
local function described(...)
  local out = {}
  for i = 1, select("#", ...) do out[i] = describe((select(i, ...)), 0) end
  return out
end
`;

export interface Seen {
  readonly t: string;
  readonly text?: string;
  readonly keys?: Readonly<Record<string, Seen>>;
  readonly items?: readonly Seen[];
}

/** Compares values with types; what is wrong is a sentence, undefined when nothing is. */
export class Checker {
  readonly #shapes: ReadonlyMap<string, ApiShape>;

  constructor(shapes: Iterable<ApiShape>) {
    this.#shapes = new Map(Array.from(shapes, (s) => [s.name, s]));
  }

  results(seen: readonly Seen[], declared: readonly Result[]): string | undefined {
    const more = seen.slice(declared.length).some((one) => one.t !== "nil");
    if (more && declared.at(-1)?.rest !== true) return `${seen.length} results instead of ${declared.length}`;
    return first(declared.filter((result) => !result.rest)
      .map((result, i) => this.#value(seen[i] ?? NIL, result, `result ${i + 1}`)));
  }

  #value(seen: Seen, { type, optional }: Pick<Result, "type" | "optional">, where: string): string | undefined {
    return optional && seen.t === "nil" ? undefined : this.#typed(seen, type, where);
  }

  #typed(seen: Seen, type: Type, where: string): string | undefined {
    switch (type.is) {
      case "name": return this.#named(seen, type.name, where);
      case "literal": return seen.text === type.text ? undefined : `${where} is ${seen.text ?? seen.t}, not ${type.text}`;
      case "function": return seen.t === "function" ? undefined : `${where} is a ${seen.t}, not a function`;
      case "union": {
        const wrong = type.of.map((one) => this.#typed(seen, one, where));
        return wrong.includes(undefined) ? undefined : wrong.join(", ");
      }
      case "list": return this.#inside(seen, type.of, where, "items");
      case "map": return this.#inside(seen, type.of, where, "keys");
    }
  }

  #inside(seen: Seen, of: Type, where: string, part: "items" | "keys"): string | undefined {
    if (seen.t !== "table") return `${where} is a ${seen.t}, not a table`;
    const other = Object.keys(seen[part === "items" ? "keys" : "items"] ?? {});
    if (other.length > 0) return `${where} has ${other.join(", ")}`;
    return first(Object.entries(seen[part] ?? {}).map(([key, one]) => this.#typed(one, of, `${where}.${key}`)));
  }

  #named(seen: Seen, name: string, where: string): string | undefined {
    const wrong = `${where} is a ${seen.t}, not a ${name}`;
    if (name === "any") return undefined;
    if (name === "json") return ["function", "userdata", "thread"].includes(seen.t) ? wrong : undefined;
    if (name === "userdata") return seen.t === "userdata" || seen.t === "null" ? undefined : wrong;
    if (name === "number") return seen.t === "number" || seen.t === "integer" ? undefined : wrong;
    if (EXACT.has(name)) return seen.t === name ? undefined : wrong;
    const shape = this.#shapes.get(name);
    if (shape === undefined) return `${name} is not declared`;
    return seen.t === "table" ? this.#shaped(seen, shape, where) : wrong;
  }

  #shaped(seen: Seen, shape: ApiShape, where: string): string | undefined {
    const fields = Object.keys(shape.fields).map(readField);
    const known = new Set(fields.map((field) => field.name));
    // a handle or a schema has fields of its own that are nobody's business
    const more = shape.methods.length > 0 ? [] : Object.keys(seen.keys ?? {}).filter((key) => !known.has(key));
    if (more.length > 0) return `${where} has ${more.join(", ")}, which ${shape.name} does not declare`;
    return first(fields.map((field) => this.#value(seen.keys?.[field.name] ?? NIL, field, `${where}.${field.name}`)));
  }
}

const NIL: Seen = { t: "nil" };
const EXACT = new Set(["string", "boolean", "integer", "function", "nil", "table"]);

function first(wrong: readonly (string | undefined)[]): string | undefined {
  return wrong.find((one) => one !== undefined);
}
