/**
 * The types of the client, printed from the method table (spec: mob 11.1): what `packages/client/src/generated/methods.ts` holds.
 * takes nothing; gives TypeScript; promises that every method, param and result of the contract stands in it; never says more.
 */
import { MOB_CODES } from "../errors.ts";
import type { Method } from "./method.ts";
import { paramsSchema, resultSchema, type Schema } from "./openapi.ts";
import { METHODS } from "./table.ts";
import { TOPICS } from "./hearing.ts";

const REF = "#/components/schemas/";
const WIDTH = 120;
const ROW = `export interface MethodRow {
  readonly writes: boolean;
  /** Params that may stand before the others; the first is a string. */
  readonly leading?: readonly string[];
  /** The method that waits for its end, and the param that names it. */
  readonly over?: { readonly by: keyof MobMethods; readonly key: string };
}`;
/** It is core's, and no shape of ours. */
const OF_CORE = "Json";

export function clientSource(): string {
  const shapes: Record<string, Schema> = {};
  const rows = METHODS.map((one) => ({ one, params: paramsSchema(one), result: resultSchema(one, shapes) }));
  const named = Object.entries(shapes).filter(([name]) => name !== OF_CORE).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    "/* Printed from the method table of packages/mob/src/http by `npm run api`: change that, not this. */",
    `import type { Json } from "@atoll-run/core";`,
    "export interface CallOptions {\n  readonly signal?: AbortSignal;\n}",
    "export type NoParams = Readonly<Record<never, never>>;",
    "/** Something that ends. */\nexport interface Ends<T> {\n  /** Waits for its end, over as many requests as it takes. */\n  wait(o?: CallOptions): Promise<T>;\n}",
    ...named.map(([name, shape]) => toNamed(name, shape)),
    "/** Params and result of each method. */",
    `export interface MobMethods {\n${rows.map(({ one, params, result }) =>
      `  "${one.name}": {\n    readonly params: ${paramsType(params)};\n    readonly result: ${toType(result, "    ")};\n  };`).join("\n")}\n}`,
    `/** Methods as they are called: \`mob.members.list({ state: "active" })\`. */\nexport interface MobApi {\n${areas(rows.map(({ one }) => one))}\n}`,
    ROW,
    `/** Methods by name; those that write may have happened although their answer was lost. */\nexport const METHODS: Readonly<Record<keyof MobMethods, MethodRow>> = {\n${
      METHODS.map((one) => `  "${one.name}": ${toRow(one)},`).join("\n")}\n};`,
    `export type Topic = ${TOPICS.map((topic) => topic.includes("<") ? `\`${topic.replace(/<.*>/, "${string}")}\`` : JSON.stringify(topic)).join(" | ")};`,
    `export type MobCode =\n${Object.keys(MOB_CODES).map((code) => `  | "${code}"`).join("\n")};`,
  ].join("\n\n") + "\n";
}

function toNamed(name: string, shape: Schema): string {
  const type = toType(shape, "");
  return `${docOf(shape, "")}${type.startsWith("{") ? `export interface ${name} ${type}` : `export type ${name} = ${type};`}`;
}

/** One line for each method, one block for each area. */
function areas(methods: readonly Method[]): string {
  const alone = methods.filter(({ name }) => !name.includes("/"));
  const grouped = Map.groupBy(methods.filter(({ name }) => name.includes("/")), ({ name }) => name.split("/")[0] ?? "");
  return [
    ...alone.map((one) => verb(one, one.name, "  ")),
    ...[...grouped].map(([area, all]) =>
      `  readonly ${area}: {\n${all.map((one) => verb(one, one.name.slice(area.length + 1), "    ")).join("\n")}\n  };`),
  ].join("\n");
}

function verb(one: Method, name: string, indent: string): string {
  const row = `MobMethods["${one.name}"]`;
  const { required = [], properties = {} } = paramsSchema(one);
  const result = `Promise<${row}["result"]${one.over === undefined ? "" : ` & Ends<MobMethods["${one.over.by}"]["result"]>`}>`;
  const leading = leadingOf(one).map((param) => `${param}${required.includes(param) ? "" : "?"}: ${row}["params"]["${param}"]`);
  const others = Object.keys(properties).filter((param) => !leadingOf(one).includes(param));
  const rest = others.length === 0 ? "more?: NoParams" : `more${others.some((param) => required.includes(param)) ? "" : "?"}: Omit<${row}["params"], ${leadingOf(one).map((param) => `"${param}"`).join(" | ")}>`;
  return [
    `${indent}/** ${one.summary} */`,
    `${indent}${name}(params${required.length > 0 ? "" : "?"}: ${row}["params"], o?: CallOptions): ${result};`,
    ...leading.length === 0 ? [] : [`${indent}${name}(${[...leading, rest].join(", ")}, o?: CallOptions): ${result};`],
  ].join("\n");
}

function leadingOf({ leading, keys }: Method): readonly string[] {
  return leading ?? keys;
}

function toRow(one: Method): string {
  const leading = leadingOf(one);
  return `{ ${[
    `writes: ${one.writes}`, ...leading.length === 0 ? [] : [`leading: ${JSON.stringify(leading).replaceAll(",", ", ")}`],
    ...one.over === undefined ? [] : [`over: { by: "${one.over.by}", key: "${one.over.key}" }`],
  ].join(", ")} }`;
}

function paramsType(schema: Schema): string {
  return Object.keys(schema.properties ?? {}).length === 0 ? "NoParams" : toType(schema, "    ");
}

function docOf({ description }: Schema, indent: string): string {
  return typeof description === "string" ? `${indent}/** ${description} */\n` : "";
}

function toType(schema: Schema, indent: string): string {
  const { $ref, const: only, enum: words, anyOf, oneOf, type, items, prefixItems } = schema as Readonly<Record<string, unknown>>;
  if (typeof $ref === "string") return $ref.slice(REF.length);
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(words)) return union(words.map((word) => JSON.stringify(word)), indent);
  const parts = anyOf ?? oneOf;
  if (Array.isArray(parts)) return union(parts.map((part: Schema) => toType(part, indent)), indent);
  if (Array.isArray(prefixItems)) return `readonly [${prefixItems.map((part: Schema) => toType(part, indent)).join(", ")}]`;
  if (Array.isArray(type)) return union(type.map((one: string) => toType({ ...schema, type: one }, indent)), indent);
  switch (type) {
    case "string": return "string";
    case "integer":
    case "number": return "number";
    case "boolean": return "boolean";
    case "null": return "null";
    case "array": return `readonly ${bracketed(toType((items ?? {}) as Schema, indent))}[]`;
    case "object": return objectType(schema, indent);
    default: return OF_CORE;
  }
}

function objectType(schema: Schema, indent: string): string {
  const { properties, required = [], additionalProperties } = schema as Schema & { readonly additionalProperties?: Schema | boolean };
  if (properties === undefined) {
    const of = typeof additionalProperties === "object" ? toType(additionalProperties, indent) : OF_CORE;
    return `Readonly<Record<string, ${of}>>`;
  }
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([name, of]) =>
    `${docOf(of, inner)}${inner}readonly ${name}${required.includes(name) ? "" : "?"}: ${toType(of, inner)};`);
  return `{\n${lines.join("\n")}\n${indent}}`;
}

function union(types: readonly string[], indent: string): string {
  const all = [...new Set(types)];
  const line = all.join(" | ");
  return line.length + indent.length < WIDTH ? line : all.map((one) => `\n${indent}  | ${one}`).join("");
}

function bracketed(type: string): string {
  return type.startsWith("readonly ") || type.includes(" | ") && !type.startsWith("{") && !type.startsWith("Readonly<") ? `(${type})` : type;
}
