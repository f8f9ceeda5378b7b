/** What a method of a mob is: one row of the table that all doors are made of (spec: mob 11.1). */
import { z } from "zod";
import type { Clock, Json } from "@atoll-run/core";
import type { ApprovalBook } from "../approvals/book.ts";
import type { Blobs } from "../blobs/blobs.ts";
import type { MobDefinition } from "../definition/definition.ts";
import type { Action } from "../definition/words.ts";
import type { FlowRunner } from "../flows/runner.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { CommitFigures } from "../ledger/time-commits.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost } from "../member/host.ts";
import type { MobTracer } from "../observe/tracer.ts";
import type { EdgeWorks } from "../reconcile/edge-works.ts";
import type { Reconciler } from "../reconcile/engine.ts";
import type { View } from "../roster/view.ts";
import type { Health } from "../whole/health.ts";
import type { MobLife } from "../whole/mob-life.ts";
import type { Shutdown } from "../whole/shutdown.ts";
import type { Role } from "./access.ts";
import type { Rights, Subject } from "./rights.ts";
import type { Sight } from "./sight.ts";
import { revision } from "./schemas.ts";

/** What is done to the mob as a whole. */
export interface Lifecycle {
  /** Begins to end what runs the mob, and returns at once. Absent: nobody may be asked to. */
  readonly down?: (principal: string) => void;
  /** It has begun to stop. */
  readonly stopping: () => boolean;
}

/** The rooms that methods speak with. */
export interface Served {
  /** As it is now: a reload changes it. */
  readonly definition: () => MobDefinition;
  readonly ledger: Ledger;
  readonly blobs: Blobs;
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
  readonly life: Pick<MobLife, "command">;
  readonly health: Pick<Health, "reasons">;
  readonly shutdown: Pick<Shutdown, "horizonMs">;
  readonly rights: Rights;
  readonly clock: Clock;
  readonly limits: MobLimits;
  /** Undefined: nobody takes spans. */
  readonly tracer?: MobTracer | undefined;
}

/** Who asks, and how long it is waited for. */
export interface Call {
  readonly principal: string;
  /** By the local token. */
  readonly local: boolean;
  readonly role: Role;
  readonly groups: readonly string[];
  readonly read_only: boolean;
  /** Whether he may call that one here, on anything. */
  may(method: Pick<Method, "action" | "writes">): boolean;
  /** On that member; without one, on the mob as a whole. */
  allows(action: string, member?: string | Subject): boolean;
  /** What he sees of the ledger. */
  sight(): Sight;
  /** What it begins is a part of that. */
  readonly traceparent?: string | undefined;
  readonly signal: AbortSignal;
}

/** Something that belongs to a member; without one nobody knows it, or it is the mob's. */
export interface Thing {
  readonly what: string;
  readonly id: string;
  readonly member: string | undefined;
}

/** Undefined: the mob as a whole. */
export type About = readonly (string | Subject | Thing)[] | undefined;

export interface Method {
  /** Without `mob/`: `members/list`. */
  readonly name: string;
  readonly writes: boolean;
  /** Null: whoever is signed in. */
  readonly action: Action | null;
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
  /** Over REST its bytes come as a file of a form, or go as they are, instead of JSON: see `blob-bytes.ts`. */
  readonly bytes?: "in" | "out";
  /** It waits for something: up to `pollMs`. */
  readonly waits?: boolean;
  /** It changes members or edges: `expected_revision` may be given, and then nothing happens when they have changed since. */
  readonly changes?: boolean;
  /**
   * Members that it is about: whoever calls must be allowed it on each, and see it. Default: its param `member` when it must be given.
   * A method that has neither is about the mob as a whole.
   */
  about?(params: never, served: Served): About | Promise<About>;
  /** It gives, or does, what its caller may see and do: it is open to all who may something of it. */
  readonly filters?: boolean;
  run(served: Served, params: never, call: Call): unknown;
}

/** As the rooms give it: lists that nobody changes are good enough. */
type Given<T> = Json extends T ? T : T extends readonly (infer Item)[] ? readonly Given<Item>[]
  : T extends object ? { readonly [Key in keyof T]: Given<T[Key]> } : T;

/** A row whose `run` knows its params, and gives its result. */
export function method<S extends z.ZodObject, R extends z.ZodType>(
  row: Omit<Method, "params" | "result" | "run" | "keys" | "about"> & {
    readonly params: S; readonly result: R; readonly keys?: readonly string[];
    about?(params: z.output<S>, served: Served): About | Promise<About>;
    run(served: Served, params: z.output<S>, call: Call): Given<z.output<R>> | Promise<Given<z.output<R>>>;
  },
): Method {
  const own = row.params.shape["member"];
  const about = own === undefined || own instanceof z.ZodOptional || row.filters === true ? {} : { about: ({ member }: { readonly member: string }) => [member] };
  const params = row.changes === true ? row.params.extend({ expected_revision: revision }) : row.params;
  return { keys: [], ...about, ...row, params } as Method;
}
