/**
 * Spans of what a mob does, without a word on who takes them (spec: mob 12.3). Where no SDK of OpenTelemetry is registered there is no
 * tracer, and none of this costs anything. What is not stored is told by the node: a turn on its way, and the commit that ends it.
 */
import { isFault } from "@atoll-run/core";
import { findTracer, type Tracer } from "@atoll-run/node";

export type MobSpanName = "request" | "turn" | "tool" | "approval" | "step";

/** Names, numbers and ids. Never what somebody wrote, nor who somebody is. */
export interface MobSpanFacts {
  readonly member?: string;
  readonly turn_id?: string;
  /** 1 for the first run. */
  readonly attempt?: number;
  readonly run_id?: string;
  readonly step_id?: string;
  /** Of a request. */
  readonly method?: string;
  readonly approval_id?: string;
  readonly grant?: string;
  readonly tool?: string;
}

export type MobTracer = Tracer<MobSpanName, MobSpanFacts>;

/** Undefined: nobody takes spans. */
export async function findMobTracer(mob: string): Promise<MobTracer | undefined> {
  const tracer = await findTracer<MobSpanName, MobSpanFacts & { readonly mob: string }>("@atoll-run/mob");
  if (tracer === undefined) return undefined;
  return { begin: (name, plan) => tracer.begin(name, { ...plan, facts: { mob, ...plan.facts } }) };
}

/** What a span fails with. */
export function codeOf(error: unknown): string {
  return isFault(error) ? error.code : "error";
}
