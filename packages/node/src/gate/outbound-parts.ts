/** What the way out needs. */
import type { Candidate, Clock, DiscoverAsk, Ids, Log, NodeId, OutStream, StreamAsk } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { Inbox } from "../mailbox/inbox.ts";
import type { Peers } from "../transport/peers.ts";
import type { Chance } from "../identity/chance.ts";
import type { IdReader } from "../identity/id-text.ts";
import type { Intake } from "./intake.ts";
import type { LinkBook } from "./link-book.ts";
import type { CallScope } from "./outbound.ts";
import type { PendingTable } from "./pending.ts";

/** Who this node is now. */
export interface Self {
  /** Its name in this process. */
  readonly name: string;
  /** Undefined before it is registered, and for a node that never is. */
  readonly id: NodeId | undefined;
}

export interface Discovery {
  /** Who has that type, the best first. Throws `node.unavailable`, `node.dependency_not_found`. */
  candidates(type: string, o?: DiscoverAsk & { readonly traceparent?: string | undefined }): Promise<readonly Candidate[]>;
  /** A candidate could not be reached: what is cached may be wrong. */
  failed?(type: string, id: string): void;
}

export interface StreamOpener {
  open(
    to: NodeId | "self", name: string, o: StreamAsk & { readonly scope: CallScope | undefined },
  ): Promise<OutStream>;
}

export interface OutboundParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly chance: Chance;
  readonly idReader: IdReader;
  readonly self: () => Self;
  /** Made after the gates, which hear its events. */
  readonly peers: () => Peers;
  readonly inbox: () => Inbox;
  /** Another node of this process by its name. */
  readonly named: (name: string) => NodeId | undefined;
  readonly discovery: Discovery;
  readonly streams: StreamOpener;
  readonly pending: PendingTable;
  readonly intake: Intake;
  readonly book: LinkBook;
  readonly limits: LimitsOf<"gate">;
}
