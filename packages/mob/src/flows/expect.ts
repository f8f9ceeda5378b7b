/** Whether an output is what its step or its profile expects: a JSON schema (spec: mob 3.1, 9.2). */
import type { Json } from "@atoll-run/core";
import { z } from "zod";
import { toFailure } from "../errors.ts";

const PROBLEMS = 4;

/** Undefined: it is. Else what is wrong, in words. */
export function checkOutput(expect: Json, output: Json | null, what = "expect"): string | undefined {
  let schema: z.ZodType;
  try {
    schema = z.fromJSONSchema(expect as Parameters<typeof z.fromJSONSchema>[0]);
  } catch (error) {
    return `${what} cannot be read as a JSON schema: ${toFailure(error).text}`;
  }
  const checked = schema.safeParse(output);
  if (checked.success) return undefined;
  const problems = checked.error.issues.slice(0, PROBLEMS).map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`));
  return `the output is not what ${what} says: ${problems.join("; ")}`;
}
