/** What a method of a mob is: one row of the table that all doors are made of (spec: mob 11.1). */
import type { z } from "zod";
import type { Clock, Json } from "@atoll-run/core";
import type { ApprovalBook } from "../approvals/book.ts";
import type { MobDefinition } from "../definition/definition.ts";
import type { FlowRunner } from "../flows/runner.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { CommitFigures } from "../ledger/time-commits.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost } from "../member/host.ts";
import type { EdgeWorks } from "../reconcile/edge-works.ts";
import type { Reconciler } from "../reconcile/engine.ts";
import type { View } from "../roster/view.ts";

/** What is done to the mob as a whole. */
export interface Lifecycle {
  /** Begins to stop what runs the mob, and returns at once. Absent: nobody may be asked to. */
  readonly stop?: (principal: string) => void;
  /** It has begun to stop. */
  readonly stopping: () => boolean;
}

/** The rooms that methods speak with. */
export interface Served {
  /** As it is now: a reload changes it. */
  readonly definition: () => MobDefinition;
  readonly ledger: Ledger;
  /** Of the mob: for what the doors themselves tell. */
  readonly writer: Writer;
  readonly commits: CommitFigures;
  readonly view: View;
  readonly members: MemberHost;
  readonly reconciler: Reconciler;
  readonly edges: EdgeWorks;
  readonly approvals: ApprovalBook;
  readonly flows: FlowRunner;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
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
  /** What it gives, as JSON; shapes with an `id` are named in the contract. */
  readonly result: z.ZodType;
  /** Params that stand in the path, in order. */
  readonly keys: readonly string[];
  /** Params that a program may write before the others: `retire("scout", { hold: true })`; the first is a string. Default: `keys`. */
  readonly leading?: readonly string[];
  /** What it begins has an end: the method that waits for it, and the param that names it. */
  readonly over?: { readonly by: string; readonly key: string };
  /** Instead of what follows from the name (11.3). */
  readonly rest?: { readonly verb: "GET" | "POST" | "PUT" | "DELETE"; readonly path: string };
  /** It waits for something: up to `pollMs`. */
  readonly waits?: boolean;
  run(served: Served, params: never, call: Call): unknown;
}

/** As the rooms give it: lists that nobody changes are good enough. */
type Given<T> = Json extends T ? T : T extends readonly (infer Item)[] ? readonly Given<Item>[]
  : T extends object ? { readonly [Key in keyof T]: Given<T[Key]> } : T;

/** A row whose `run` knows its params, and gives its result. */
export function method<S extends z.ZodObject, R extends z.ZodType>(
  row: Omit<Method, "params" | "result" | "run" | "keys"> & {
    readonly params: S; readonly result: R; readonly keys?: readonly string[];
    run(served: Served, params: z.output<S>, call: Call): Given<z.output<R>> | Promise<Given<z.output<R>>>;
  },
): Method {
  return { keys: [], ...row } as Method;
}
