/** Outputs as their steps and profiles expect them: a JSON schema, text (spec: mob 3.1, 9.2). Pure. */
import type { Json } from "@atoll-run/core";
import { z } from "zod";
import { isRef } from "../blobs/ref.ts";
import type { FlowStep } from "../definition/definition.ts";
import { toFailure } from "../errors.ts";

const PROBLEMS = 4;
/** A definition is read once and asked often. */
const SCHEMAS = new WeakMap<object, z.ZodType>();

/** Undefined: it is. Else what is wrong, in words. */
export function checkOutput(expect: Json, output: Json | null, what = "expect"): string | undefined {
  let schema: z.ZodType;
  try {
    schema = toSchema(expect);
  } catch (error) {
    return `${what} cannot be read as a JSON schema: ${toFailure(error).text}`;
  }
  const checked = schema.safeParse(output);
  if (checked.success) return undefined;
  const problems = checked.error.issues.slice(0, PROBLEMS).map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`));
  return `the output is not what ${what} says: ${problems.join("; ")}`;
}

function toSchema(expect: Json): z.ZodType {
  const known = typeof expect === "object" && expect !== null ? SCHEMAS.get(expect) : undefined;
  if (known !== undefined) return known;
  const schema = z.fromJSONSchema(expect as Parameters<typeof z.fromJSONSchema>[0]);
  if (typeof expect === "object" && expect !== null) SCHEMAS.set(expect, schema);
  return schema;
}

/** What a member gave, as its step wants it: text, or, where it wrote text although something else is expected, the JSON in that. What is a blob stays one. */
export function asOutput({ output, expect }: Pick<FlowStep, "output" | "expect">, given: Json): Json {
  if (isRef(given)) return given;
  if (output === "text") return typeof given === "string" ? given : JSON.stringify(given);
  if (expect === null || typeof given !== "string" || checkOutput(expect, given) === undefined) return given;
  return readJson(given) ?? given;
}

/** What a model wrote as JSON, also where it put a fence around it. Undefined: it is none. */
export function readJson(text: string): Json | undefined {
  const [, fenced] = /^\s*```(?:json)?\s*\n(.*)\n\s*```\s*$/s.exec(text) ?? [];
  try {
    return JSON.parse(fenced ?? text) as Json;
  } catch {
    return undefined;
  }
}
