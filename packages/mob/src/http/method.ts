/** What a method of a mob is: one row of the table that all doors are made of (spec: mob 11.1). */
import type { z } from "zod";
import type { ApprovalBook } from "../approvals/book.ts";
import type { MobDefinition } from "../definition/definition.ts";
import type { FlowRunner } from "../flows/runner.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost } from "../member/host.ts";
import type { EdgeWorks } from "../reconcile/edge-works.ts";
import type { Reconciler } from "../reconcile/engine.ts";
import type { View } from "../roster/view.ts";

/** The rooms that methods speak with. */
export interface Served {
  readonly definition: MobDefinition;
  readonly ledger: Ledger;
  /** Of the mob: for what the doors themselves tell. */
  readonly writer: Writer;
  readonly view: View;
  readonly members: MemberHost;
  readonly reconciler: Reconciler;
  readonly edges: EdgeWorks;
  readonly approvals: ApprovalBook;
  readonly flows: FlowRunner;
  readonly limits: MobLimits;
}

/** Who asks, and how long it is waited for. */
export interface Call {
  readonly principal: string;
  /** By the local token. */
  readonly local: boolean;
  readonly role: string;
  /** Whether he may call that one here. */
  may(method: Pick<Method, "action" | "writes">): boolean;
  readonly signal: AbortSignal;
}

export interface Method {
  /** Without `mob/`: `members/list`. */
  readonly name: string;
  readonly writes: boolean;
  /** Null: whoever is signed in. */
  readonly action: string | null;
  /** One sentence. */
  readonly summary: string;
  readonly params: z.ZodObject;
  /** Params that stand in the path, in order. */
  readonly keys: readonly string[];
  /** Instead of what follows from the name (11.3). */
  readonly rest?: { readonly verb: "GET" | "POST" | "PUT" | "DELETE"; readonly path: string };
  /** It waits for something: up to `pollMs`. */
  readonly waits?: boolean;
  run(served: Served, params: never, call: Call): unknown;
}

/** A row whose `run` knows its params. */
export function method<S extends z.ZodObject>(
  row: Omit<Method, "params" | "run" | "keys"> & {
    readonly params: S; readonly keys?: readonly string[];
    run(served: Served, params: z.output<S>, call: Call): unknown;
  },
): Method {
  return { keys: [], ...row } as Method;
}
