/**
 * What a node runs, as the node sees it (spec: node 9.1).
 * takes messages that were admitted; gives one outcome for each; promises that a message is answered once; refuses by
 * `again` when it has no room; never settles a message itself.
 */
import type { MetadataEntry } from "../codec/envelope.ts";
import type { Fault } from "../fault.ts";
import type { Json } from "../json.ts";
import type { Log } from "../log.ts";
import type { Principal } from "../protocol/rules.ts";
import type { InStream, Speaker } from "./speaker.ts";

/** What a workload gives back for a message. `done` and `rejected` are final. */
export type Outcome =
  | { readonly is: "done"; readonly reply: Uint8Array; readonly content_type?: string }
  | {
    readonly is: "rejected"; readonly code: string; readonly body: Uint8Array; readonly content_type?: string;
    /** For people; callers act on the code. */
    readonly text?: string;
    /** True when what was recorded is to be done all the same: the error was returned, not thrown. */
    readonly keeps_writes: boolean;
  }
  /**
   * Deliver once more after that time; no attempt is counted. `crashed`: what it ran in has died with it, and its host opens the node anew:
   * its row stays leased, so that it is found running then and counts as a suspect.
   */
  | { readonly is: "again"; readonly after_ms: number; readonly crashed?: boolean }
  /** Retried or buried by the fault's class and the policy of the route. `died`: what it ran in has died with it; `WorkloadHost.died` is told. */
  | { readonly is: "failed"; readonly fault: Fault; readonly died?: boolean }
  /** Lease and isle are freed until the wake-up of that name, or the time. */
  | { readonly is: "park"; readonly until: string; readonly until_at_ms?: number };

/** How messages of one route are handled; absent = the default of the node (spec: node 4.11, 4.16, 10). */
export interface RoutePolicy {
  /** `node`: one at a time of all. */
  readonly order?: "key" | "node";
  /** Handler runs before a message is given up; default 1 for calls, 5 for tells. */
  readonly attempts?: number;
  /** First wait between attempts, milliseconds; doubles up to 30 s, ± 20 %. */
  readonly backoffMs?: number;
  readonly handlerLimitMs?: number;
  /** Time to live of a tell that names none. */
  readonly ttlMs?: number;
  /** No row and no answer is stored: lost with the process. */
  readonly volatile?: boolean;
  /** `never`: what was running when the process died is buried as `uncertain`. */
  readonly redeliver?: "always" | "never";
  readonly idempotent?: boolean;
  readonly dedupTtlMs?: number;
  /** Field of a JSON body that is the order key, instead of what the code says; dots go deeper. Empty = none. */
  readonly keyField?: string;
  /** Senders may name the key. */
  readonly senderKeys?: boolean;
}

export interface RouteInfo {
  readonly policy: RoutePolicy;
  /** Messages with one key run one at a time. Null = no order. Throws for a payload it cannot read. */
  key?(payload: Uint8Array, caller: Principal): string | null;
}

export interface WorkloadMessage {
  readonly kind: "call" | "tell";
  /** The key the workload finds a handler by. */
  readonly route: string;
  /** Request id, 1-128 bytes. */
  readonly id: string;
  readonly payload: Uint8Array;
  /** Type of the payload when it is not the route's own. */
  readonly content_type?: string;
  readonly caller: Principal;
  readonly metadata: readonly MetadataEntry[];
  /** What a host that stands between says of it, in place of what would be said. */
  readonly about?: Readonly<Record<string, Json>>;
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** 1 for the first run. */
  readonly attempt: number;
  /** A run of this message may have begun before, in this process or an earlier one. */
  readonly redelivered: boolean;
}

/** Recorded by a handler, done in the one commit that finishes its message. Values are JSON text. */
export type Write =
  | { readonly write: "set"; readonly space: string; readonly key: string; readonly value: string }
  | { readonly write: "delete"; readonly space: string; readonly key: string }
  /** The handler runs again when the document has moved. */
  | { readonly write: "check"; readonly space: string; readonly key: string; readonly version: number }
  /** To the end of a journal of the whole store; for hosts, handlers are not given it. */
  | { readonly write: "append"; readonly journal: string; readonly body: string }
  /** A document that no handler reaches; null removes it; for hosts too. */
  | { readonly write: "put"; readonly space: string; readonly key: string; readonly value: string | null }
  | {
    readonly write: "tell"; readonly to: string; readonly route: string; readonly payload: Uint8Array;
    readonly content_type?: string; readonly metadata?: readonly MetadataEntry[];
    /** Default 1 h. */
    readonly ttlMs?: number;
  };

/** What a handler gets: its powers, inside the caller's budget, chain and trace. */
export interface DispatchContext extends Speaker {
  /** Text of the node's id, or its local name. */
  readonly self: string;
  /** Wall clock, milliseconds; `Infinity` = none. */
  readonly deadlineAtMs: number;
  remainingMs(): number;
  /** Aborts at the deadline, when the caller cancels, and when the node closes. */
  readonly signal: AbortSignal;
  /** W3C; of a stream, where no message carries it. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** Throws when the message is finished. */
  record(writes: readonly Write[]): void;
  /**
   * Ends the time of the message then instead, also after a restart; `Infinity`: never, who asked for it sees to that. For hosts; absent: it
   * has no row.
   */
  expireAt?(atMs: number): void;
  /** Its end may move while the handler runs: who counts time for the handler goes by the signal alone. */
  readonly movable?: boolean;
  /** Committed state plus the own writes. A document that is not there has version 0. */
  read(space: string, key: string): Promise<{ readonly value: string | null; readonly version: number }>;
}

/** One event of the node, in order (spec: node 5). `name` as `on_start`. */
export interface HookEvent {
  readonly seq: number;
  readonly at_ms: number;
  readonly name: string;
  readonly fact: Readonly<Record<string, Json>>;
}

/** Tells the node about the life of what it runs. */
export interface WorkloadHost {
  readonly self: string;
  /** For what runs outside of a handler. */
  readonly speaker: Speaker;
  readonly log: Log;
  /** Tells the node of a failure that belongs to no message, or to one that is finished already. */
  failed(fault: Fault, context: string): void;
  /** It has died by itself; the node rebuilds it or its host does. */
  died(fault: Fault): void;
}

export interface Workload {
  readonly kind: "linked" | "block" | "wasm" | "process";
  /** Messages it takes at once. */
  readonly concurrency: number;
  /** Undefined: unknown route. */
  route(route: string, kind: "call" | "tell"): RouteInfo | undefined;
  /** Begins to run; messages come only afterwards. */
  start(host: WorkloadHost, o: { readonly signal: AbortSignal }): Promise<void>;
  dispatch(message: WorkloadMessage, context: DispatchContext): Promise<Outcome>;
  /** Undefined: takes no stream of that name. Resolves when it has read enough; throws to reset. */
  stream?(stream: InStream, context: DispatchContext): Promise<void> | undefined;
  /** Undefined: it does not hear that event. */
  hook?(event: HookEvent, context: DispatchContext): Promise<void> | undefined;
  /** What else is done in the one commit that makes a dead letter of a message; must not throw. `reason` as the letter has it. */
  buried?(message: WorkloadMessage, why: { readonly reason: string; readonly fault: Fault }): readonly Write[];
  close(o: { readonly signal: AbortSignal }): Promise<void>;
}
