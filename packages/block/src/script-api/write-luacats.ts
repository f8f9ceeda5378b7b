/** Stubs for Lua editors (LuaCATS): one file for each module, which an editor reads and nothing runs. */
import type { ApiFunction, ApiModule, ApiShape } from "./declare.ts";
import { type Param, readField, readSignature, type Result, type Type } from "./signature.ts";

/** File name → text. */
export function writeStubs(modules: readonly ApiModule[]): Readonly<Record<string, string>> {
  const tables = modules.map((m) => [stubName(m), writeStub(m)] as const);
  return { "std.lua": `---@meta\n\n---The standard library.\nstd = {}\n`, ...Object.fromEntries(tables) };
}

function stubName(m: ApiModule): string {
  return m.name === "_G" ? "globals.lua" : `${m.name}.lua`;
}

/** A required module is a local table that its file gives; Lua files of other names find it by `@meta name`. */
function writeStub(m: ApiModule): string {
  const head = m.required ? `---@meta ${m.name}` : "---@meta";
  const shapes = m.shapes.map(writeShape);
  const values = m.values.map((v) => {
    const { name, type, optional } = readField(v.signature);
    return `---${v.doc}\n---@type ${toCats(type)}${optional ? "?" : ""}\n${name} = nil\n`;
  });
  const functions = m.functions.map((f) => writeFunction(f, ""));
  const tables = m.name === "_G" ? [] : [`---${m.doc}\n${m.required ? "local " : ""}${m.name} = {}\n${inner(m)}`];
  const end = m.required ? [`return ${m.name}\n`] : [];
  return [`${head}\n`, ...shapes, ...tables, ...values, ...functions, ...end].join("\n");
}

/** Tables inside of a module: `lshape.t`. */
function inner(m: ApiModule): string {
  const names = m.functions.map((f) => readSignature(f.signature).name.split(".").slice(0, -1).join("."));
  return [...new Set(names)].filter((name) => name !== m.name).map((name) => `${name} = {}\n`).join("");
}

function writeShape(s: ApiShape): string {
  const fields = Object.entries(s.fields).map(([text, doc]) => {
    const field = readField(text);
    return `---@field ${field.name}${field.optional ? "?" : ""} ${toCats(field.type)} ${doc}\n`;
  });
  const methods = s.methods.map((f) => `\n${writeFunction(f, s.name)}`);
  return `---${s.doc}\n---@class ${s.name}\n${fields.join("")}local ${s.name} = {}\n${methods.join("")}`;
}

function writeFunction(f: ApiFunction, self: string): string {
  const { name, params, results, waits } = readSignature(f.signature);
  const lines = [
    `---${f.doc}`,
    ...(waits ? ["---@async"] : []),
    ...params.map((p) => `---@param ${p.rest ? "..." : p.name + (p.optional ? "?" : "")} ${toCats(p.type)} ${f.params[p.name] ?? ""}`.trimEnd()),
    ...results.map((r) => `---@return ${writeResult(r)}`),
    ...(isHearing(params) ? [`---@overload fun(handler: ${toCats(params[1]?.type as Type)}?)`] : []),
  ];
  const shown = params.map((p) => (p.rest ? "..." : KEYWORDS.has(p.name) ? `${p.name}_` : p.name)).join(", ");
  return `${lines.join("\n")}\nfunction ${self === "" ? name : `${self}:${name}`}(${shown}) end\n`;
}

/** Functions that take a handler of one server, or of all. */
function isHearing([server, handler]: readonly Param[]): boolean {
  return server?.name === "server" && handler?.name === "handler";
}

const KEYWORDS = new Set(["function", "end", "repeat", "until", "local"]);

function writeResult(r: Result): string {
  return r.rest ? `${toCats(r.type)} ...` : `${toCats(r.type)}${r.optional ? "?" : ""}`;
}

export function toCats(type: Type): string {
  switch (type.is) {
    case "name": return type.name === "json" ? "any" : type.name;
    case "literal": return JSON.stringify(type.text);
    case "list": return type.of.is === "union" || type.of.is === "function" ? `(${toCats(type.of)})[]` : `${toCats(type.of)}[]`;
    case "map": return `table<string, ${toCats(type.of)}>`;
    case "union": return `(${type.of.map(toCats).join(" | ")})`;
    case "function": {
      const params = type.params.map(writeParam).join(", ");
      const results = type.results.map((r) => `${r.rest ? "..." : ""}${toCats(r.type)}${r.optional ? "?" : ""}`).join(", ");
      return `fun(${params})${results === "" ? "" : `: ${results}`}`;
    }
  }
}

function writeParam(p: Param): string {
  return p.rest ? `...: ${toCats(p.type)}` : `${p.name}${p.optional ? "?" : ""}: ${toCats(p.type)}`;
}
