/** What a view keeps over a restart (spec: mob 5.11). Types only. */
import type { Json } from "@atoll-run/core";
import type { Approval } from "../approvals/approval.ts";
import type { MemberSpec } from "../definition/definition.ts";
import type { EdgeNow } from "../edges/plan.ts";
import type { Run } from "../flows/run.ts";
import type { Turn } from "../member/turn.ts";
import type { MobFold } from "./mob-fold.ts";
import type { MemberView } from "./row.ts";

/** A view as plain data. */
export interface Kept {
  readonly seq: number;
  readonly revision: number;
  readonly desired: readonly MemberSpec[];
  readonly applied: readonly Json[];
  /** One. */
  readonly mob: readonly MobFold[];
  readonly members: readonly (readonly [string, MemberView])[];
  /** Ids of those that were deleted, with their last generation. */
  readonly graves: readonly (readonly [string, number])[];
  readonly edges: readonly EdgeNow[];
  readonly turns: readonly Turn[];
  readonly approvals: readonly Approval[];
  readonly runs: readonly Run[];
  /** Id of a run, or nothing for the mob. */
  readonly labels: readonly (readonly [string, Labels])[];
}

export type Labels = Readonly<Record<string, string>>;
