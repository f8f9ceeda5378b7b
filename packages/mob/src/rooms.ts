/** What a mob is made of, and what it is while it runs (spec: mob 2.1, 2.5). Types only. */
import type { BlobStore, Json } from "@atoll-run/core";
import type { NodeParts, StepWatch } from "@atoll-run/node";
import type { ApprovalBook } from "./approvals/book.ts";
import type { Blobs } from "./blobs/blobs.ts";
import type { MobDefinition } from "./definition/definition.ts";
import type { FlowRunner } from "./flows/runner.ts";
import type { Ledger, Writer } from "./ledger/ledger.ts";
import type { CommitFigures } from "./ledger/time-commits.ts";
import type { MemberHost, TurnAsk } from "./member/host.ts";
import type { InnerParts } from "./member/inner.ts";
import type { MemberRow } from "./member/row.ts";
import type { MobTracer } from "./observe/tracer.ts";
import type { Ticket } from "./member/turn.ts";
import type { Outside, Surroundings } from "./outside/outside.ts";
import type { EdgeWorks } from "./reconcile/edge-works.ts";
import type { Reconciler } from "./reconcile/engine.ts";
import type { MobState } from "./roster/mob-fold.ts";
import type { View } from "./roster/view.ts";
import type { Health, Reason } from "./whole/health.ts";
import type { MobHooks } from "./whole/hooks.ts";
import type { MobLife } from "./whole/mob-life.ts";
import type { ShutdownReport } from "./whole/report.ts";
import type { Shutdown, CloseMobOptions, EndingPart } from "./whole/shutdown.ts";

/** What it is made of. */
export interface MobParts extends Omit<NodeParts, "network" | "named">, Omit<InnerParts, "guard" | "denied" | "withheld" | "makeVerbs" | "openSession" | "makeWatch" | "compact" | "tracer"> {
  /** Where it keeps what is too large for rows. */
  readonly blobStore: BlobStore;
  /** Masks registered secrets. */
  readonly redact?: (value: Json) => Json;
  /** Absent: nobody outside reaches it. */
  readonly outside?: Surroundings;
  /** Reads the definition anew, whole or not at all: throws `mob.definition_invalid`. Absent: a program has made it. */
  readonly readDefinition?: () => Promise<MobDefinition>;
  readonly hooks?: MobHooks;
  /** What else would make it `degraded` ends its start. */
  readonly strict?: boolean;
  /** How long turns that run may take to end when it closes, milliseconds; default 30,000. */
  readonly drainTimeoutMs?: number;
  /** Opens a way to it, the last thing of its start; its end is told by {@link MobRooms.attach}. */
  readonly serve?: (mob: MobRooms) => Promise<void>;
  /** Lets go of the stores, the last thing of its end, also of a start that fails; absent: they stay their opener's. `destroyed`: they are to be removed. */
  readonly release?: (destroyed: boolean) => Promise<void>;
  /** Ends the start. */
  readonly signal?: AbortSignal;
  /** Hears each stage of the start; what it throws fails it. */
  readonly stages?: StepWatch;
}

export interface MobStatus {
  readonly mob: string;
  /** `stopped` also when it has ended in this process. */
  readonly state: MobState;
  /** What is not as it should be; empty: nothing. */
  readonly degraded: readonly Reason[];
  readonly members: readonly MemberRow[];
  readonly edges: readonly { readonly a: string; readonly b: string }[];
  readonly revision: number;
  /** `seq` of the last entry. */
  readonly head: number;
  /** The longest that `close` takes, milliseconds. */
  readonly horizon_ms: number;
}

export interface MobRooms extends AsyncDisposable {
  /** What it is to be, as of now. */
  readonly definition: () => MobDefinition;
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  /** As the ledger tells it; to be read only. */
  readonly view: View;
  /** Who writes what is the mob's own. */
  readonly writer: Writer;
  /** How long commits take, and how often they fail. */
  readonly commits: CommitFigures;
  readonly members: MemberHost;
  readonly reconciler: Reconciler;
  readonly edges: EdgeWorks;
  readonly approvals: ApprovalBook;
  readonly flows: FlowRunner;
  /** Its own node; undefined: it has none. */
  readonly outside: Outside | undefined;
  readonly health: Health;
  readonly life: MobLife;
  readonly shutdown: Shutdown;
  /** Undefined: nobody takes spans. */
  readonly tracer: MobTracer | undefined;
  /** Resolves when it has ended, whoever has ended it. */
  readonly ended: Promise<ShutdownReport>;
  send(ask: TurnAsk): Promise<Ticket>;
  status(): MobStatus;
  /** A way to it that ends with it, after its members. Dispose: it has ended already. */
  attach(door: EndingPart): Disposable;
  /**
   * Turns that run may end, queued ones stay. Never throws: what did not end is in the report. Later calls get the same report; with
   * `stepMs` they hurry the end that is under way.
   * @example const { clean, aborted_turns } = await mob.close({ deadlineMs: 10_000 });
   */
  close(o?: CloseMobOptions): Promise<ShutdownReport>;
}
