/**
 * The powers to reach others, inside one budget, chain and trace (spec: node 2.8, 2.9, 4.12, 5.15).
 *
 * takes asks; gives answers; promises that each ends by its deadline; refuses with a `NodeError` before anything is
 * sent when the ask is wrong; never sends what may have run to another node, unless it is idempotent.
 */
import {
  nodeError, type Ask, type CallReply, type Candidate, type DiscoverAsk, type Fault, type OutStream,
  type Speaker, type StreamAsk, type TellAsk, type Told,
} from "@atoll-run/core";
import type { AskSpans } from "../observe/ask-spans.ts";
import { checkWhole, toPlan, type Plan } from "./ask.ts";
import type { Choice } from "./choice.ts";
import type { Delivered } from "./delivered.ts";
import type { Delivery } from "./delivery.ts";
import type { CallScope, Outbound } from "./outbound.ts";
import type { OutboundParts } from "./outbound-parts.ts";
import { toTarget } from "./targets.ts";

export interface SpeakerParts extends OutboundParts {
  readonly delivery: Delivery;
  readonly choice: Choice;
  /** Undefined: nobody takes spans. */
  readonly spans: AskSpans | undefined;
  /** Answers by code, `ok` included. */
  readonly codes: Map<string, number>;
}

export function createSpeakers(parts: SpeakerParts): Outbound {
  return {
    root: new ScopedSpeaker(parts, undefined),
    within: (scope) => new ScopedSpeaker(parts, scope),
  };
}

class ScopedSpeaker implements Speaker {
  readonly #parts: SpeakerParts;
  readonly #scope: CallScope | undefined;

  constructor(parts: SpeakerParts, scope: CallScope | undefined) {
    this.#parts = parts;
    this.#scope = scope;
  }

  async call(ask: Ask): Promise<CallReply> {
    const plan = this.#plan("call", ask);
    const awaiting = this.#scope?.awaiting?.();
    try {
      const delivered = await this.#deliver(plan);
      if (delivered.is === "reply") {
        this.#count("ok");
        return delivered;
      }
      throw this.#fault(delivered);
    } finally {
      awaiting?.[Symbol.dispose]();
    }
  }

  async tell(ask: TellAsk): Promise<Told> {
    const delivered = await this.#deliver(this.#plan("tell", ask));
    if (delivered.is !== "told") throw this.#fault(delivered);
    this.#count("ok");
    return { level: delivered.level, duplicate: delivered.duplicate };
  }

  async discover(type: string, o: DiscoverAsk = {}): Promise<readonly Candidate[]> {
    this.#checkOpen();
    if (o.deadlineMs !== undefined) checkWhole("deadlineMs", o.deadlineMs);
    const { limits, discovery } = this.#parts;
    const leftMs = this.#scope?.deadline.leftMs() ?? Infinity;
    const deadlineMs = Math.min(o.deadlineMs ?? limits.callMs, Math.ceil(leftMs));
    return discovery.candidates(type, { ...o, deadlineMs, signal: this.#signal(o.signal), traceparent: this.#scope?.traceparent });
  }

  async openStream(to: string, name: string, o: StreamAsk = {}): Promise<OutStream> {
    this.#checkOpen();
    const target = toTarget(to, this.#parts);
    const scope = this.#scope;
    const { streams, choice } = this.#parts;
    const ask = { ...o, scope };
    if (target.is === "self") return streams.open("self", name, ask);
    if (target.is === "node") return streams.open(target.id, name, ask);
    const one = await choice.first(target.type, { signal: this.#signal(o.signal) });
    return streams.open(one, name, ask);
  }

  #plan(kind: "call" | "tell", ask: TellAsk): Plan {
    this.#checkOpen();
    return toPlan(kind, ask, this.#scope, this.#parts);
  }

  #deliver(plan: Plan): Promise<Delivered> {
    const { spans } = this.#parts;
    return spans === undefined ? this.#give(plan) : spans.ask(plan, this.#scope, (traced) => this.#give(traced));
  }

  #give(plan: Plan): Promise<Delivered> {
    const { delivery, choice } = this.#parts;
    const target = toTarget(plan.to, this.#parts);
    const signals = this.#signals(plan.ask.signal);
    if (target.is === "self") return delivery.toSelf(plan, { signals });
    if (plan.ask.also !== undefined) throw nodeError("node.invalid_argument", "what else is to be done is the own node's: tell it to self");
    if (target.is === "node") return delivery.toPeer(plan, target.text, target.id, { signals });
    return choice.deliver(plan, target.type, { signals });
  }

  #fault(delivered: Delivered): Fault {
    const fault = delivered.is === "failed" ? delivered.fault : nodeError("node.internal", "an answer of another kind");
    this.#count(fault.code);
    return fault;
  }

  #count(code: string): void {
    const { codes } = this.#parts;
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }

  /** New work of the host ends when the node drains; handlers finish what they began. */
  #checkOpen(): void {
    const { state } = this.#parts.intake;
    if (state === "closed") throw nodeError("node.wrong_state", "the node is closed");
    if (state === "draining" && this.#scope === undefined) throw nodeError("node.draining", "the node is closing");
  }

  #signals(own: AbortSignal | undefined): readonly AbortSignal[] {
    const around = this.#scope?.signal;
    if (own === undefined) return around === undefined ? [] : [around];
    return around === undefined ? [own] : [own, around];
  }

  #signal(own: AbortSignal | undefined): AbortSignal | undefined {
    const signals = this.#signals(own);
    return signals.length < 2 ? signals[0] : AbortSignal.any([...signals]);
  }
}
