/** What mailbox and dispatch of a node are made of. */
import type {
  Clock, Fault, Ids, Log, Principal, Speaker, StateStore, Workload,
} from "@atoll-run/core";
import type { CallScope } from "../gate/outbound.ts";
import type { Report } from "../hooks/report.ts";
import { NODE_LIMITS, type LimitsOf } from "../limits.ts";
import type { ConfiguredPolicies } from "../mailbox/policy.ts";
import type { ProcessRoom } from "../mailbox/room.ts";
import type { Figures } from "../observe/figures.ts";
import type { Tracer } from "../observe/tracer.ts";

export interface InboxParts {
  readonly store: StateStore;
  /** The local name of the node; its rows stand under it, whatever its id becomes. */
  readonly scope: string;
  /** What handlers see as their own name. */
  readonly self: () => string;
  readonly clock: Clock;
  readonly ids: Ids;
  /** From 0 to below 1; for back-offs. */
  readonly random: () => number;
  readonly log?: Log | undefined;
  readonly report: Report;
  /** Where times are counted; absent: somewhere of its own. */
  readonly figures?: Figures | undefined;
  /** Absent: nobody takes spans. */
  readonly tracer?: Tracer | undefined;
  /** The one that runs now; a rebuilt one takes its place. */
  readonly workload: () => Workload;
  readonly speaker: (scope: CallScope) => Speaker;
  /** By route, `*` for all others. */
  readonly policies?: ConfiguredPolicies | undefined;
  /** Shared by the nodes of a process; absent = this one is alone. */
  readonly shared?: ProcessRoom | undefined;
  /** Free bytes where the store is; absent = it has no disk. */
  readonly freeBytes?: (() => Promise<number>) | undefined;
  /** Whether that sender may do that today; asked before a redrive. Absent: everybody may. */
  readonly mayDo?: ((sender: Principal, kind: "call" | "tell", route: string) => boolean) | undefined;
  /** Something was put into the outbox. */
  readonly outboxChanged?: (() => void) | undefined;
  /** Another owner has taken the scope, or the store is broken: this node must end. Told once. */
  readonly lost?: ((fault: Fault) => void) | undefined;
}

export interface InboxLimits {
  readonly mailbox: LimitsOf<"mailbox">;
  readonly dispatch: LimitsOf<"dispatch">;
}

export interface InboxLimitsSet {
  readonly mailbox?: Partial<LimitsOf<"mailbox">>;
  readonly dispatch?: Partial<LimitsOf<"dispatch">>;
}

/** The defaults with what is set; the workload's own concurrency bounds the running ones. */
export function inboxLimits(set: InboxLimitsSet, concurrency: number): InboxLimits {
  const dispatch = { ...NODE_LIMITS.dispatch, ...set.dispatch };
  return {
    mailbox: { ...NODE_LIMITS.mailbox, ...set.mailbox },
    dispatch: { ...dispatch, runningMax: Math.max(1, Math.min(dispatch.runningMax, concurrency)) },
  };
}
