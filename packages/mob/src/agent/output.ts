/**
 * The outputs of members whose profile has an `output_schema` (spec: mob 3.1).
 *
 * takes the code of a member; gives the same code, whose outputs are what the schema says; promises that what is not is repaired twice at
 * most, where it can be; refuses it then (`mob.output_invalid`); never changes an output that fits.
 */
import type { Json, Outcome, Workload } from "@atoll-run/core";
import { checkOutput, readJson } from "../flows/expect.ts";

const REPAIRS_MAX = 2;
const TEXT = new TextDecoder();

type Done = Outcome & { readonly is: "done" };

/** Of code that gives its output and cannot be asked again. */
export function withSchema(workload: Workload, schema: Json | null): Workload {
  if (schema === null) return workload;
  return {
    ...workload,
    dispatch: async (message, context): Promise<Outcome> => {
      const outcome = await workload.dispatch(message, context);
      if (outcome.is !== "done") return outcome;
      const problem = checkOutput(schema, readOutput(outcome), "output_schema");
      return problem === undefined ? outcome : invalid(problem);
    },
  };
}

/** Of a model: asks again with what is wrong, and gives what it said as JSON. */
export async function repaired(schema: Json, first: Outcome, again: (problem: string) => Promise<Outcome>): Promise<Outcome> {
  let outcome = first;
  for (let repairs = 0; outcome.is === "done"; repairs++) {
    const output = readOutput(outcome);
    const value = typeof output === "string" ? readJson(output) : output;
    const problem = value === undefined ? "the output is not JSON" : checkOutput(schema, value, "output_schema");
    if (problem === undefined) return { ...outcome, reply: new TextEncoder().encode(JSON.stringify(value)) };
    if (repairs === REPAIRS_MAX) return invalid(problem);
    outcome = await again(problem);
  }
  return outcome;
}

function readOutput({ reply }: Done): Json {
  return reply.length === 0 ? null : JSON.parse(TEXT.decode(reply)) as Json;
}

function invalid(text: string): Outcome {
  return { is: "rejected", code: "mob.output_invalid", body: new Uint8Array(0), text, keeps_writes: false };
}
