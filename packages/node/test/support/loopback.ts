/** A workload and a speaker without a node between them: outcomes become answers as on the wire. */
import {
  nodeError, type Ask, type CallReply, type DispatchContext, type Outcome, type Speaker, type TellAsk, type Workload,
  type WorkloadMessage, type Write,
} from "@atoll-run/core";
import { fromWireError, toWireError } from "@atoll-run/core/internal";

export interface Loopback {
  readonly speaker: Speaker;
  readonly outcomes: Outcome[];
  readonly writes: Write[];
  /** Documents that handlers read, by `space/key`. */
  readonly documents: Map<string, { value: string; version: number }>;
  readonly failures: { code: string; context: string }[];
}

export async function loopback(workload: Workload): Promise<Loopback & AsyncDisposable> {
  const outcomes: Outcome[] = [];
  const writes: Write[] = [];
  const documents: Loopback["documents"] = new Map();
  const failures: Loopback["failures"] = [];
  const send = async (kind: "call" | "tell", ask: Ask | TellAsk): Promise<Outcome> => {
    if (workload.route(ask.route, kind) === undefined) throw nodeError("node.unknown_route", `no route ${ask.route}`);
    const outcome = await workload.dispatch(toMessage(kind, ask), context);
    outcomes.push(outcome);
    return outcome;
  };
  const refuse = (): Promise<never> => Promise.reject(nodeError("node.not_implemented", "not here"));
  const speaker: Speaker = {
    call: async (ask) => toReply(await send("call", ask)),
    tell: async (ask) => {
      await send("tell", ask);
      return { level: "accepted", duplicate: false };
    },
    discover: refuse, openStream: refuse,
  };
  const context: DispatchContext = {
    ...speaker, self: "self", deadlineAtMs: Infinity, remainingMs: () => Infinity, signal: new AbortController().signal,
    record: (given) => void writes.push(...given),
    read: async (space, key) => documents.get(`${space}/${key}`) ?? { value: null, version: 0 },
  };
  await workload.start({
    self: "self", speaker, log: { write: () => undefined }, died: () => undefined,
    failed: (fault, where) => void failures.push({ code: fault.code, context: where }),
  }, { signal: context.signal });
  return {
    speaker, outcomes, writes, documents, failures,
    [Symbol.asyncDispose]: () => workload.close({ signal: context.signal }),
  };
}

function toMessage(kind: "call" | "tell", ask: Ask): WorkloadMessage {
  const { route, payload, requestId = "r1", metadata = [] } = ask;
  return {
    kind, route, payload, id: requestId, metadata, caller: { kind: "local" }, attempt: 1, redelivered: false,
  };
}

function toReply(outcome: Outcome): CallReply {
  if (outcome.is === "done") return { payload: outcome.reply };
  if (outcome.is === "failed") throw fromWireError(toWireError(outcome.fault));
  if (outcome.is !== "rejected") throw new Error(`an outcome that is no answer: ${outcome.is}`);
  const { code, body, text = code } = outcome;
  throw fromWireError(toWireError(nodeError("node.business", text, { facts: { error: { code, body } } })));
}
