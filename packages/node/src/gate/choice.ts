/**
 * Which node of a type is asked (spec: node 5.15).
 *
 * takes the candidates of discovery; gives the less busy of two at random, the better placed when they are equal, and
 * to asks that are sticky the one that had answered them before;
 * promises to leave alone for a while who failed three times in a row, and to ask another node only when the first
 * provably did not run it, or the ask is idempotent; refuses with `node.not_found` when there is nobody; never asks
 * the same node for the same ask twice while there is another.
 */
import { nodeError, type Clock, type NodeId } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { Plan } from "./ask.ts";
import type { Delivered } from "./delivered.ts";
import type { Delivery } from "./delivery.ts";
import type { IdReader } from "../identity/id-text.ts";
import type { Discovery } from "./outbound-parts.ts";

export interface ChoiceParts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly idReader: IdReader;
  readonly discovery: Discovery;
  readonly delivery: Delivery;
}

interface Candidacy {
  outstanding: number;
  failures: number;
  /** Monotonic milliseconds. */
  outUntilMs: number;
}

export class Choice {
  readonly #parts: ChoiceParts;
  readonly #limits: LimitsOf<"gate">;
  /** By text of the id. */
  readonly #known = new Map<string, Candidacy>();
  /** Ids by type and text of sticky asks, the longest unused first. */
  readonly #stuck = new Map<string, string>();

  constructor(parts: ChoiceParts, limits: LimitsOf<"gate">) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** The one that would be asked now. Throws `node.not_found`. */
  async first(type: string, o: { readonly signal?: AbortSignal | undefined } = {}): Promise<NodeId> {
    const texts = await this.#candidates(type, o.signal);
    return this.#idOf(this.#pick(texts, new Set()) ?? "", type);
  }

  async deliver(plan: Plan, type: string, o: { readonly signals: readonly AbortSignal[] }): Promise<Delivered> {
    const texts = await this.#candidates(type, o.signals[0], plan);
    const tried = new Set<string>();
    for (;;) {
      const text = this.#stuckTo(plan, type, { texts, tried }) ?? this.#pick(texts, tried);
      if (text === undefined) throw nobody(type);
      tried.add(text);
      const elsewhere = this.#pick(texts, tried) !== undefined;
      const id = this.#idOf(text, type);
      const delivered = await this.#counted(text, () =>
        this.#parts.delivery.toPeer(plan, text, id, { signals: o.signals, elsewhere }));
      if (delivered.is !== "failed") {
        this.#stick(plan, type, text);
        return delivered;
      }
      if (delivered.ran !== "yes") this.#parts.discovery.failed?.(type, text);
      const mayMove = delivered.ran === "no" || (delivered.ran === "maybe" && plan.idempotent);
      const over = delivered.fault.code === "node.cancelled" || this.#parts.clock.monotonic() >= plan.atMs;
      if (!elsewhere || !mayMove || over || !plan.retries) return delivered;
    }
  }

  async #candidates(type: string, signal?: AbortSignal, plan?: Plan): Promise<readonly string[]> {
    const deadlineMs = plan === undefined ? this.#limits.callMs
      : Math.max(1, Math.ceil(plan.atMs - this.#parts.clock.monotonic()));
    const found = await this.#parts.discovery.candidates(type, { deadlineMs, signal, traceparent: plan?.traceparent });
    if (found.length === 0) throw nobody(type);
    return found.map(({ id }) => id);
  }

  /** The one that had answered such an ask, when it can be asked now. */
  #stuckTo({ ask }: Plan, type: string, o: { readonly texts: readonly string[]; readonly tried: ReadonlySet<string> }): string | undefined {
    const text = ask.sticky === undefined ? undefined : this.#stuck.get(stickyName(type, ask.sticky));
    if (text === undefined || o.tried.has(text) || !o.texts.includes(text)) return undefined;
    return this.#isOut(text, this.#parts.clock.monotonic()) ? undefined : text;
  }

  #stick({ ask }: Plan, type: string, text: string): void {
    if (ask.sticky === undefined) return;
    const name = stickyName(type, ask.sticky);
    this.#stuck.delete(name);
    const [oldest] = this.#stuck.keys();
    if (this.#stuck.size >= this.#limits.stickyMax && oldest !== undefined) this.#stuck.delete(oldest);
    this.#stuck.set(name, text);
  }

  #isOut(text: string, nowMs: number): boolean {
    return (this.#known.get(text)?.outUntilMs ?? 0) > nowMs;
  }

  /** Two at random, of those that are not left alone; when all are, of all. */
  #pick(texts: readonly string[], tried: ReadonlySet<string>): string | undefined {
    const nowMs = this.#parts.clock.monotonic();
    const rest = texts.filter((text) => !tried.has(text));
    const good = rest.filter((text) => !this.#isOut(text, nowMs));
    const from = good.length > 0 ? good : rest;
    if (from.length < 2) return from[0];
    const one = Math.floor(this.#parts.random() * from.length);
    const other = (one + 1 + Math.floor(this.#parts.random() * (from.length - 1))) % from.length;
    const [first, second] = [Math.min(one, other), Math.max(one, other)].map((at) => from[at] as string);
    const busy = (text: string | undefined): number => this.#known.get(text ?? "")?.outstanding ?? 0;
    return busy(second) < busy(first) ? second : first;
  }

  async #counted(text: string, ask: () => Promise<Delivered>): Promise<Delivered> {
    const one = this.#known.get(text) ?? { outstanding: 0, failures: 0, outUntilMs: 0 };
    if (this.#known.size >= this.#limits.candidatesMax) this.#forget();
    this.#known.set(text, one);
    one.outstanding++;
    try {
      const delivered = await ask();
      if (delivered.is !== "failed" || delivered.ran === "yes") one.failures = 0;
      else if (delivered.fault.code !== "node.cancelled") one.failures++;
      if (one.failures >= this.#limits.failuresMax) {
        one.failures = 0;
        one.outUntilMs = this.#parts.clock.monotonic() + this.#limits.ejectMs;
      }
      return delivered;
    } finally {
      one.outstanding--;
    }
  }

  #forget(): void {
    for (const [text, { outstanding }] of this.#known) if (outstanding === 0) this.#known.delete(text);
  }

  #idOf(text: string, type: string): NodeId {
    const id = this.#parts.idReader.read(text);
    if (id === undefined) throw nobody(type);
    return id;
  }
}

/** No type has a line break. */
function stickyName(type: string, sticky: string): string {
  return `${type}\n${sticky}`;
}

function nobody(type: string): Error {
  return nodeError("node.not_found", `there is no node of type ${type}`, {
    facts: { type }, hint: "is one running, and may this node reach it?",
  });
}
