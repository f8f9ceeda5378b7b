/** A mailbox with its dispatch over a real file, a workload of one function, and messages for it. */
import type { Clock, DispatchContext, Ids, Outcome, Principal, StateStore, Workload } from "@atoll-run/core";
import type { Envelope, Lane } from "@atoll-run/core/internal";
import type { InboxLife } from "@atoll-run/node/internal";
import { coreInternal, node } from "./built.ts";

export const ROUTE = "bench.Bench.Note";
const SENDER: Principal = {
  kind: "peer", proof: "key", id: { realm: 1, serial: 0x1a2b3cn, type: { manufacturer: "acme", name: "client", version: "1.0.0" } },
};
const TEXT = new TextEncoder();

const CLOCK: Clock = {
  now: () => Date.now(), monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

function countedIds(): Ids {
  let last = 0;
  const next = (): string => `0199a000-0000-7000-8000-${String(++last).padStart(12, "0")}`;
  return { uuid4: next, uuid7: next };
}

export interface BenchInbox {
  readonly inbox: InboxLife;
  /** Settles when the message is finished. */
  tell(body: Uint8Array): Promise<void>;
  /** Settles when the message is finished; of high class. */
  signal(body: Uint8Array): Promise<void>;
  /** As of a peer in this process: without a row. A body of at most 64 bytes is its key. */
  call(body: Uint8Array): Promise<void>;
  /** Settles when a tell is accepted. */
  accepted(body: Uint8Array): Promise<void>;
}

export interface BenchInboxOptions {
  readonly store: StateStore;
  readonly handle: (context: DispatchContext) => Promise<Outcome> | Outcome;
  readonly concurrency?: number;
}

export const DONE: Outcome = { is: "done", reply: new Uint8Array() };

/** Recovered and open; limits far above what a round holds, so that the window never refuses. */
export async function openBenchInbox({ store, handle, concurrency = 64 }: BenchInboxOptions): Promise<BenchInbox> {
  const workload: Workload = {
    kind: "linked", concurrency, route: () => ({ policy: {}, key: (payload) => payload.length > 64 ? null : new TextDecoder().decode(payload) }),
    start: async () => undefined, dispatch: async (_message, context) => handle(context), close: async () => undefined,
  };
  const refused = (): never => {
    throw new Error("a bench speaks with nobody");
  };
  const inbox = node.createInbox({
    store, scope: "bench", self: () => "bench", clock: CLOCK, ids: countedIds(), random: Math.random, report: () => undefined,
    workload: () => workload, speaker: () => ({ call: refused, tell: refused, discover: refused, openStream: refused }),
  }, { mailbox: { senderRowsMax: 8_192 } });
  await inbox.recover();
  inbox.open();
  let last = 0;
  const admit = async (kind: "call" | "tell", payload: Uint8Array, lane: Lane = "rpc_reliable"): Promise<{ readonly settled: Promise<unknown> }> => {
    const envelope: Envelope = {
      route_key: ROUTE, request_id: `r-${++last}`, direction: kind === "call" ? "request" : "tell",
      timeout_ms: kind === "call" ? 30_000 : 0, payload, metadata: [],
    };
    const verdict = await inbox.admit({
      kind, sender: SENDER, envelope, bytes: coreInternal.writeEnvelope(envelope, { extensions: true }), lane,
      in_process: kind === "call", reachable: () => true,
    });
    if (verdict.is === "refused") throw verdict.fault;
    return verdict;
  };
  const finish = async (...o: Parameters<typeof admit>): Promise<void> => {
    await (await admit(...o)).settled;
  };
  return {
    inbox, tell: (body) => finish("tell", body), signal: (body) => finish("tell", body, "rpc_signal"), call: (body) => finish("call", body),
    accepted: async (body) => {
      await admit("tell", body);
    },
  };
}

export function keyBody(key: string): Uint8Array {
  return TEXT.encode(key);
}
