/** An inbox over a store in memory, a workload made of functions, and arrivals. */
import assert from "node:assert/strict";
import {
  type Clock, type DispatchContext, type NodeId, type Outcome, type Principal, type RouteInfo, type Speaker, type StateStore,
  type Stop, type Workload, type WorkloadMessage,
} from "@atoll-run/core";
import { writeEnvelope, type Envelope } from "@atoll-run/core/internal";
import { ManualClock, memoryState, seededIds, seededRandom } from "@atoll-run/testkit";
import { createInbox, type InboxLife } from "../../src/dispatch/create-inbox.ts";
import type { InboxLimitsSet, InboxParts } from "../../src/dispatch/parts.ts";
import type { Admission, Arrival, Settled } from "../../src/mailbox/inbox.ts";

export const SCOPE = "bank";
const TEXT = new TextEncoder();

export type Handler = (message: WorkloadMessage, context: DispatchContext) => Promise<Outcome> | Outcome;
export type Handlers = Readonly<Record<string, Handler | ({ run: Handler } & Partial<RouteInfo>)>>;

export function workloadOf(handlers: Handlers, concurrency = 64): Workload {
  return {
    kind: "linked", concurrency,
    route: (route) => {
      const found = handlers[route];
      if (found === undefined) return undefined;
      return typeof found === "function" ? { policy: {} } : { policy: found.policy ?? {}, ...found.key && { key: found.key } };
    },
    start: async () => undefined,
    dispatch: async (message, context) => {
      const found = handlers[message.route];
      if (found === undefined) throw new Error("no such route");
      return await (typeof found === "function" ? found : found.run)(message, context);
    },
    close: async () => undefined,
  };
}

export function done(text = ""): Outcome {
  return { is: "done", reply: TEXT.encode(text) };
}

/** A peer; each number another. */
export function peer(n: number, proof: "key" | "bearer" = "key"): Principal {
  const id: NodeId = { realm: 1, serial: BigInt(n), type: { manufacturer: "acme", name: "client", version: "1.0.0" } };
  return { kind: "peer", id, proof };
}

export interface ArrivalOf {
  readonly kind?: "call" | "tell";
  readonly route?: string;
  readonly id: string;
  readonly from?: Principal;
  readonly payload?: string;
  readonly timeoutMs?: number;
  readonly envelope?: Partial<Envelope>;
  readonly high?: boolean;
  readonly inProcess?: boolean;
  readonly named?: boolean;
  readonly reachable?: () => boolean;
  readonly stop?: Stop;
}

export function arrivalOf(o: ArrivalOf): Arrival {
  const kind = o.kind ?? "tell";
  const envelope: Envelope = {
    route_key: o.route ?? "note", request_id: o.id, direction: kind === "call" ? "request" : "tell",
    timeout_ms: o.timeoutMs ?? (kind === "call" ? 30_000 : 0), payload: TEXT.encode(o.payload ?? ""), metadata: [], ...o.envelope,
  };
  return {
    kind, sender: o.from ?? peer(1), envelope, bytes: writeEnvelope(envelope, { extensions: true }),
    lane: o.high === true ? "rpc_signal" : "rpc_reliable", in_process: o.inProcess ?? false,
    reachable: o.reachable ?? (() => true), stop: o.stop, ...o.named === undefined ? {} : { named: o.named },
  };
}

export interface Made {
  readonly inbox: InboxLife;
  readonly clock: ManualClock;
  readonly store: StateStore;
  readonly events: [name: string, fact: unknown][];
  tell(id: string, o?: Omit<ArrivalOf, "id">): Promise<Admission>;
  call(id: string, o?: Omit<ArrivalOf, "id">): Promise<Admission>;
}

const NOBODY: Speaker = {
  call: () => Promise.reject(new Error("nobody to call")), tell: () => Promise.reject(new Error("nobody to tell")),
  discover: async () => [], openStream: () => Promise.reject(new Error("nobody to stream to")),
};

/** Not recovered yet. */
export function inboxOf(handlers: Handlers, o: {
  readonly store?: StateStore; readonly clock?: ManualClock; readonly limits?: InboxLimitsSet; readonly seed?: number;
  readonly parts?: Partial<InboxParts>; readonly concurrency?: number;
} = {}): Made {
  const clock = o.clock ?? new ManualClock();
  const store = o.store ?? memoryState();
  const random = seededRandom(o.seed ?? 1);
  const events: [string, unknown][] = [];
  const workload = workloadOf(handlers, o.concurrency);
  const inbox = createInbox({
    store, scope: SCOPE, self: () => SCOPE, clock: clock as Clock, ids: seededIds(o.seed ?? 1, clock), random: () => random() / 2 ** 32,
    report: (name, fact) => events.push([name, fact]), workload: () => workload, speaker: () => NOBODY, ...o.parts,
  }, o.limits);
  return {
    inbox, clock, store, events,
    tell: async (id, more) => inbox.admit(arrivalOf({ id, ...more })),
    call: async (id, more) => inbox.admit(arrivalOf({ id, kind: "call", ...more })),
  };
}

/** Recovered and open. */
export async function openInbox(...args: Parameters<typeof inboxOf>): Promise<Made> {
  const made = inboxOf(...args);
  await made.inbox.recover();
  made.inbox.open();
  return made;
}

/** What became of an accepted or doubled message, as text. */
export async function answerOf(admission: Promise<Admission> | Admission): Promise<string> {
  const verdict = await admission;
  if (verdict.is === "refused") return `refused ${verdict.fault.code}`;
  return settledText(await verdict.settled);
}

export function settledText(settled: Settled): string {
  if (settled.is === "reply") return new TextDecoder().decode(settled.payload);
  return `error ${settled.error.code}`;
}

/** Closed, in the time of its clock. */
export async function shut({ inbox, clock }: Made): Promise<void> {
  const over = inbox.drain({ deadlineMs: 1_000 });
  await clock.pass(5_000);
  await over;
  const closed = inbox.close();
  await clock.pass(5_000);
  await closed;
}

/** The same; nothing is left. */
export async function end(made: Made): Promise<void> {
  await shut(made);
  assert.equal(made.clock.timers, 0, "timers are left");
}
