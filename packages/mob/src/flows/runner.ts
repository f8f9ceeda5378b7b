/**
 * Runs of flows (spec: mob 9).
 *
 * takes the name of a flow and its params; gives a run; promises that a run that has begun ends, whatever becomes of the
 * process, and that one idempotency key is one run; refuses more runs than its bound; never does the work of a step itself.
 */
import type { Json } from "@atoll-run/core";
import { isDeepStrictEqual } from "node:util";
import { ByKey } from "../bounded.ts";
import type { FlowDefinition } from "../definition/definition.ts";
import { mobError, type MobError } from "../errors.ts";
import { shortHash, type NewId } from "../ids.ts";
import type { NewEntry } from "../ledger/entry.ts";
import type { MobLimits } from "../limits.ts";
import type { Labels } from "../roster/kept.ts";
import { Waiters } from "../waiters.ts";
import { flowOf } from "./flow-of.ts";
import { RunLoop, type RunParts } from "./run-loop.ts";
import type { Run } from "./run.ts";
import { WholeOutputs } from "./whole.ts";

export interface RunnerParts extends Omit<RunParts, "limits"> {
  readonly flows: () => Readonly<Record<string, FlowDefinition>>;
  readonly newId: NewId;
  readonly limits: RunParts["limits"] & Pick<MobLimits, "runsMax">;
}

export interface RunAsk {
  readonly flow: string;
  readonly params?: Json | undefined;
  readonly principal: string;
  /** Of this principal and flow: the same key and params are the same run. */
  readonly key?: string | undefined;
  /** Of the run, from its beginning on: they stand in its entries. */
  readonly labels?: Labels | undefined;
  /** W3C, of whoever asks: its steps are in that trace. */
  readonly traceparent?: string | undefined;
}

export interface FlowRunner extends AsyncDisposable {
  /** Resolves when it is stored. Throws `mob.not_found`, `mob.conflict`, `mob.overloaded`, `mob.too_large`. */
  run(ask: RunAsk): Promise<Run>;
  /** Throws `mob.not_found`. */
  get(runId: string): Run;
  /** Resolves when it is over. Throws `mob.not_found`, or the reason of the signal. */
  wait(runId: string, signal: AbortSignal): Promise<Run>;
  /** What it has come to, whole: as it is held, an output that is large is only its beginning. */
  output(run: Run): Promise<Json>;
  /** Its turns are cancelled. Throws `mob.conflict` when it is over. */
  cancel(runId: string, by: { readonly principal: string; readonly signal: AbortSignal }): Promise<Run>;
  /** Runs stay as they are, until {@link goOn}. `why`: what callers hear. */
  pause(why: MobError): void;
  goOn(): Promise<void>;
  /** One that failed or was cancelled goes on at what has failed. Throws `mob.conflict`, `mob.overloaded`. */
  resume(runId: string, by: { readonly principal: string; readonly traceparent?: string | undefined }): Promise<Run>;
}

/** Goes on with all runs of the view that are not over; with `paused` when it is told to. */
export function openRunner(parts: RunnerParts, paused?: MobError): FlowRunner {
  const runner = new Runner(parts);
  if (paused === undefined) void runner.goOn();
  else runner.pause(paused);
  return runner;
}

class Runner implements FlowRunner {
  readonly #parts: RunnerParts;
  readonly #loops = new Map<string, RunLoop>();
  readonly #byKey = new ByKey();
  readonly #waiters = new Waiters();
  readonly #hearing: Disposable;
  #refusal: MobError | undefined;
  /** Loops that were told to stop have. */
  #paused: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#hearing = parts.ledger.hear(({ run_id, kind, member }) => {
      if (kind === "member_broken" && member !== undefined) for (const loop of this.#loops.values()) loop.memberBroken(member);
      if (run_id === undefined) return;
      if (kind.startsWith("flow_")) this.#waiters.tell(run_id);
      // The time of its steps stands still, or goes on.
      if (kind.startsWith("turn_") && parts.view.runs.get(run_id)?.waits !== undefined) this.#loops.get(run_id)?.look();
    });
  }

  pause(why: MobError): void {
    this.#refusal = why;
    const loops = [...this.#loops.values()];
    this.#paused = Promise.all([this.#paused, ...loops.map((loop) => loop.stop())]).then(() => undefined);
  }

  async goOn(): Promise<void> {
    await this.#paused;
    if (this.#closed) return;
    this.#refusal = undefined;
    for (const { run_id, state } of this.#parts.view.runs.values()) if (state === "running" && !this.#loops.has(run_id)) this.#begin(run_id);
  }

  async run({ flow, params = {}, principal, key, labels = {}, traceparent }: RunAsk): Promise<Run> {
    const definition = flowOf(this.#parts.flows(), flow);
    const id = key === undefined ? this.#parts.newId("r") : `r_${shortHash(principal, flow, key)}`;
    return this.#byKey.run(id, async () => {
      const known = this.#parts.view.runs.get(id);
      if (known !== undefined) return same(known, params);
      this.#room();
      const about = { source: "flow", run_id: id, principal };
      await this.#parts.ledger.append(this.#parts.writer, [
        { ...about, ...traced(traceparent), kind: "flow_started", ...key === undefined ? {} : { dedupe_key: id }, data: { flow, definition: definition as never, params, principal } },
        ...Object.keys(labels).length === 0 ? [] : [{ ...about, kind: "labels_set", data: { labels } } as const],
      ]);
      this.#begin(id);
      return this.get(id);
    });
  }

  get(runId: string): Run {
    const run = this.#parts.view.runs.get(runId);
    if (run === undefined) throw mobError("mob.not_found", `there is no run ${runId}`, { facts: { what: "run", id: runId } });
    return run;
  }

  async wait(runId: string, signal: AbortSignal): Promise<Run> {
    while (this.get(runId).state === "running") await this.#waiters.next(runId, signal);
    return this.get(runId);
  }

  output(run: Run): Promise<Json> {
    return new WholeOutputs(this.#parts.ledger.store).outputOf(run);
  }

  async cancel(runId: string, { principal, signal }: Parameters<FlowRunner["cancel"]>[1]): Promise<Run> {
    if (this.get(runId).state !== "running") throw this.#notNow(runId);
    this.#loops.get(runId)?.cancel(principal);
    return this.wait(runId, signal);
  }

  resume(runId: string, { principal, traceparent }: Parameters<FlowRunner["resume"]>[1]): Promise<Run> {
    return this.#byKey.run(runId, async () => {
      const { state, flow } = this.get(runId);
      if (state !== "failed" && state !== "canceled") throw this.#notNow(runId);
      await this.#loops.get(runId)?.over;
      this.#room();
      await this.#parts.ledger.append(this.#parts.writer, [{ kind: "flow_started", source: "flow", run_id: runId, principal, ...traced(traceparent), data: { flow, resumed: true } }]);
      this.#begin(runId);
      return this.get(runId);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#paused, ...[...this.#loops.values()].map((loop) => loop.stop())]);
    this.#hearing[Symbol.dispose]();
  }

  #begin(id: string): void {
    const loop = new RunLoop(id, this.#parts);
    this.#loops.set(id, loop);
    void loop.over.then(() => {
      if (this.#loops.get(id) === loop) this.#loops.delete(id);
    });
  }

  #room(): void {
    if (this.#closed) throw mobError("mob.shutting_down", "the mob is stopping");
    if (this.#refusal !== undefined) throw this.#refusal;
    const { runsMax } = this.#parts.limits;
    if (this.#loops.size < runsMax) return;
    throw mobError("mob.overloaded", `${runsMax} runs are under way already`, { facts: { limit: runsMax }, hint: "Wait for one of them." });
  }

  #notNow(id: string): ReturnType<typeof mobError> {
    const { state } = this.get(id);
    return mobError("mob.conflict", `the run ${id} is ${state}`, { facts: { what: "state", id, state } });
  }
}

function same(run: Run, params: Json): Run {
  if (isDeepStrictEqual(run.params, params)) return run;
  throw mobError("mob.conflict", "that key was used for a run with other params", { facts: { what: "idempotency", id: run.run_id } });
}

function traced(traceparent: string | undefined): Pick<NewEntry, "trace"> {
  return traceparent === undefined ? {} : { trace: traceparent };
}
