/**
 * Steps of a run as spans (spec: mob 12.3): from the first that is asked to the end. What is asked is a part of them. One that an earlier
 * process has begun begins anew, at the time when it really did.
 */
import type { OpenSpan } from "@atoll-run/node";
import type { MobTracer } from "../observe/tracer.ts";
import type { Run } from "./run.ts";

export class StepSpans {
  readonly #tracer: MobTracer;
  readonly #open = new Map<string, OpenSpan>();

  constructor(tracer: MobTracer) {
    this.#tracer = tracer;
  }

  /** `traceparent` for what is asked of members. */
  of({ run_id, trace: parent, steps }: Run, step_id: string): string | undefined {
    const span = this.#open.get(step_id) ?? this.#begin({ run_id, step_id }, { parent, atMs: steps[step_id]?.started_at_ms ?? null });
    return span.traceparent ?? parent;
  }

  /** Ends those that are over. */
  look(run: Run | undefined): void {
    if (run === undefined) return;
    const { steps } = run;
    for (const [name, span] of this.#open) {
      const { state, error } = steps[name] ?? {};
      if (state === "running") continue;
      this.#open.delete(name);
      span.end(state ?? "skipped", error?.code);
    }
  }

  /** Nothing more is told of this run: what is open is left as it is. */
  close(): void {
    for (const span of this.#open.values()) span.end("left");
    this.#open.clear();
  }

  #begin(facts: { readonly run_id: string; readonly step_id: string }, { parent, atMs }: { readonly parent: string | undefined; readonly atMs: number | null }): OpenSpan {
    const span = this.#tracer.begin("step", { parent, facts, ...atMs === null ? {} : { beganAtMs: atMs } });
    this.#open.set(facts.step_id, span);
    return span;
  }
}
