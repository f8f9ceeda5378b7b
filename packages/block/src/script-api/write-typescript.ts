/**
 * Types of `@atoll-run/atoll/script`: functions and options in camelCase, functions that wait give promises;
 * all other fields keep their names, for they are data.
 */
import type { ApiFunction, ApiModule, ApiShape } from "./declare.ts";
import { type Param, readField, readSignature, type Result, type Type } from "./signature.ts";

const MADE = "Made by `npm run api` from the declaration of the script API; do not edit.";

const BASE = `/** Plain data. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json | undefined };
/** What a statement may be given for a \`?\`; null is NULL. */
export type SqlValue = null | boolean | number | bigint | string;
/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;
`;

/** Names of the shapes that TypeScript scripts can meet. */
export function writeShapes(modules: readonly ApiModule[]): string {
  const seen = modules.flatMap((m) => m.shapes).filter((s) => isSeen(s.name, modules));
  return `/** ${MADE} */\n\n${BASE}\n${seen.map((s) => writeShape(s, isOptions(s.name, modules))).join("\n")}`;
}

/** What a TypeScript script imports. */
export function writeScript(modules: readonly ApiModule[]): string {
  const seen = modules.flatMap((m) => m.shapes).filter((s) => isSeen(s.name, modules));
  const imports = [...seen.map((s) => s.name), "Awaitable", "Json", "SqlValue"];
  const shown = modules.filter((m) => m.name !== "_G" && inScript(m).length > 0);
  const body = shown.filter((m) => !m.name.startsWith("std.")).map((m) => `/** ${m.doc} */\nexport declare const ${m.name}: ${writeModule(m, "")};\n`);
  const std = shown.filter((m) => m.name.startsWith("std."))
    .map((m) => `  /** ${m.doc} */\n  ${m.name.slice(4)}: ${writeModule(m, "  ")};\n`);
  const used = imports.filter((name) => new RegExp(`\\b${name}\\b`).test(BLOCK + body.join("") + std.join("")));
  return `/** ${MADE} */\nimport type {\n${wrap(used)}} from "./script-shapes.ts";\n\n`
    + `export type * from "./script-shapes.ts";\n\n${body.join("\n")}\n`
    + `/** The standard library. */\nexport declare const std: {\n${std.join("")}};\n\n${BLOCK}`;
}

const BLOCK = `/** What a script knows of its run. */
export declare const block: {
  /** The prompt of the run. */
  readonly prompt: string | undefined;
  /** The context of the run. */
  readonly context: string | undefined;
  readonly args: readonly string[];
  /** Aborted when the run is told to end. */
  readonly signal: AbortSignal;
  /** Who asks. */
  readonly trace: { readonly trace_id: string; readonly run_id: string; readonly agent_id: string; readonly agent_name: string };
  /** Ends the run in order, with that exit code. */
  exit(code?: number): Promise<never>;
};

/** What bridges throw. */
export declare class BlockError extends Error {
  readonly code: string;
  readonly retry: "never" | "later" | "elsewhere";
  readonly retry_after_ms?: number;
  readonly facts: Readonly<Record<string, unknown>>;
}
`;

/** What only JavaScript has. */
const ONLY_JS: Readonly<Record<string, readonly string[]>> = {
  "std.sql": ["  /** NULL in rows and parameters. */", "  readonly null: null;"],
  bus: [
    "  /** Loads a handler, the default export of a module, in the handler isle. */",
    "  onModule(kind: string, module: string, opts?: { readonly timeoutMs?: number }): Promise<void>;",
  ],
};

function inScript(m: ApiModule): readonly ApiFunction[] {
  return m.functions.filter((f) => f.js !== "");
}

function writeModule(m: ApiModule, indent: string): string {
  const lines = inScript(m).flatMap((f) => [`  /** ${f.doc} */`, `  ${f.js ?? writeMethod(f)};`]);
  const values = m.values.filter((v) => !v.luaOnly && m.name !== "std.sql").map((v) => `  ${v.signature};`);
  return `{\n${[...values, ...lines, ...ONLY_JS[m.name] ?? []].map((line) => `${indent}${line}\n`).join("")}${indent}}`;
}

/** Tables of options: what a parameter of that name takes. */
function isOptions(name: string, modules: readonly ApiModule[]): boolean {
  return modules.some((m) => m.functions.some((f) => new RegExp(`\\bopts: ${name}\\b`).test(f.signature)));
}

function writeShape(s: ApiShape, camel: boolean): string {
  const fields = Object.entries(s.fields).map(([text, doc]) => {
    const field = readField(text);
    const name = camel ? toCamel(field.name) : field.name;
    return `  /** ${doc} */ readonly ${name}${field.optional ? "?" : ""}: ${toTs(field.type)};\n`;
  });
  if (camel) fields.push("  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;\n");
  const methods = s.methods.map((f) => `  /** ${f.doc} */ ${writeMethod(f)};\n`);
  return `/** ${s.doc} */\nexport interface ${s.name} {\n${[...fields, ...methods].join("")}}\n`;
}

function writeMethod(f: ApiFunction): string {
  const { name, params, results, waits } = readSignature(f.signature);
  const result = writeResults(results);
  const shown = toCamel(name.slice(name.lastIndexOf(".") + 1));
  const [server, handler] = params;
  if (server?.name === "server" && handler?.name === "handler") {
    const fn = `handler: (${toTs(handler.type)}) | undefined`;
    return `${shown}(...args: [server: string, ${fn}] | [${fn}]): Promise<void>`;
  }
  return `${shown}(${writeParams(params)}): ${waits ? `Promise<${result}>` : result}`;
}

function writeParams(params: readonly Param[]): string {
  return params.map((p) => {
    const type = toTs(p.type);
    if (p.rest) return `...${p.name}: ${type}[]`;
    return `${RESERVED.has(p.name) ? `${p.name}_` : toCamel(p.name)}${p.optional ? "?" : ""}: ${type}`;
  }).join(", ");
}

const RESERVED = new Set(["default", "function"]);

function writeResults(results: readonly Result[]): string {
  const types = results.map((r) => r.rest ? `...${toTs(r.type)}[]` : `${toTs(r.type)}${r.optional ? " | undefined" : ""}`);
  if (types.length === 0) return "void";
  return types.length === 1 ? types[0] as string : `[${types.join(", ")}]`;
}

const NAMES: Readonly<Record<string, string>> = {
  integer: "number", any: "unknown", json: "Json", table: "Readonly<Record<string, unknown>>", nil: "undefined",
  userdata: "unknown", function: "(...args: unknown[]) => unknown",
};

function toTs(type: Type): string {
  switch (type.is) {
    case "name": return NAMES[type.name] ?? type.name;
    case "literal": return JSON.stringify(type.text);
    case "list": return type.of.is === "union" || type.of.is === "function" ? `readonly (${toTs(type.of)})[]` : `readonly ${toTs(type.of)}[]`;
    case "map": return `Readonly<Record<string, ${toTs(type.of)}>>`;
    case "union": return type.of.map((one) => one.is === "list" || one.is === "function" ? `(${toTs(one)})` : toTs(one)).join(" | ");
    case "function": {
      const result = writeResults(type.results);
      const shown = result === "void" || result === "unknown" ? "unknown" : `Awaitable<${result}>`;
      return `(${writeParams(type.params)}) => ${shown}`;
    }
  }
}

/** Is a shape named by a function that JavaScript has, or by a shape that is? */
function isSeen(name: string, modules: readonly ApiModule[]): boolean {
  const shapes = modules.flatMap((m) => m.shapes);
  const texts = modules.flatMap((m) => inScript(m).map((f) => f.js ?? f.signature));
  const seen = new Set<string>();
  for (let todo = texts; todo.length > 0;) {
    const found = shapes.filter((s) => !seen.has(s.name) && todo.some((text) => new RegExp(`\\b${s.name}\\b`).test(text)));
    for (const s of found) seen.add(s.name);
    todo = found.flatMap((s) => [...Object.keys(s.fields), ...s.methods.map((f) => f.signature)]);
  }
  return seen.has(name);
}

function wrap(names: readonly string[]): string {
  let line = " ";
  let text = "";
  for (const name of names) {
    if (line.length + name.length > 105) {
      text += `${line}\n`;
      line = " ";
    }
    line += ` ${name},`;
  }
  return `${text}${line}\n`;
}

/** `get_or` → `getOr`. */
export function toCamel(name: string): string {
  return name.replace(/(?<=[a-z0-9])_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
