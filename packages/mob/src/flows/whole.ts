/** Outputs of a run that stand apart, put where they belong (spec: mob 5.4, 9.1): what is decided on is whole. */
import type { Json, StateReader } from "@atoll-run/core";
import type { FlowStep } from "../definition/definition.ts";
import { readStored } from "../ledger/stored.ts";
import { asOutput } from "./expect.ts";
import { outputOfRun, type Hole, type Run, type StepRun } from "./run.ts";

export class WholeOutputs {
  readonly #store: Pick<StateReader, "get">;
  /** A step that is completed does not change: each is read once, as long as somebody has it. */
  readonly #steps = new WeakMap<StepRun, Promise<StepRun>>();

  constructor(store: Pick<StateReader, "get">) {
    this.#store = store;
  }

  /** The same run where nothing stands apart. What was too old keeps its beginning. Throws the fault of the store. */
  async fill(run: Run): Promise<Run> {
    const apart = Object.entries(run.steps).filter(([, { holes }]) => holes !== undefined);
    if (apart.length === 0) return run;
    const filled = await Promise.all(apart.map(async ([name, step]) => [name, await this.#step(step, run.definition.steps[name])] as const));
    return { ...run, steps: { ...run.steps, ...Object.fromEntries(filled) } };
  }

  /** What the run has come to. */
  async outputOf(run: Run): Promise<Json> {
    return outputOfRun(await this.fill(run));
  }

  #step(step: StepRun, planned: FlowStep | undefined): Promise<StepRun> {
    const known = this.#steps.get(step);
    if (known !== undefined) return known;
    const filling = this.#fill(step, planned);
    this.#steps.set(step, filling);
    filling.catch(() => this.#steps.delete(step));
    return filling;
  }

  async #fill({ holes = [], ...step }: StepRun, planned: FlowStep | undefined): Promise<StepRun> {
    let { output = null } = step;
    for (const hole of holes) {
      const value = await readStored(this.#store, hole);
      if (value !== undefined) output = put(output, hole.at, planned === undefined ? value : asOutput(planned, value));
    }
    return { ...step, output };
  }
}

function put(into: Json, [field, ...rest]: Hole["at"], value: Json): Json {
  if (field === undefined) return value;
  if (Array.isArray(into)) return into.with(field as number, put(into[field as number] as Json, rest, value)) as Json;
  const fields = into as { readonly [key: string]: Json };
  return { ...fields, [field]: put(fields[field] ?? null, rest, value) };
}
