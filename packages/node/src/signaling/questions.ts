/** Questions to the realm and their answers, matched by `reply_for` (spec: wire 9). */
import { nodeError, onAbort, type Clock, type Fault } from "@atoll-run/core";
import type { ActrToSignaling, MessageInitShape, SignalingToActr, ActrToSignalingSchema } from "@atoll-run/core/internal";

export type Ask = NonNullable<MessageInitShape<typeof ActrToSignalingSchema>["payload"]> & { readonly case: AskCase };
export type AskCase = NonNullable<ActrToSignaling["payload"]["case"]>;
export type Told = SignalingToActr["payload"];

interface Question {
  answer(told: Told): void;
  fail(fault: Fault): void;
}

export class Questions {
  readonly #open = new Map<string, Question>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Resolves with the answer. Throws `node.timed_out`, `node.overloaded`, the signal's reason, or what ended it. */
  ask(
    id: string, send: () => void, o: { readonly clock: Clock; readonly ms: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Told> {
    if (o.signal?.aborted) return Promise.reject(o.signal.reason);
    if (this.#open.size >= this.#max) {
      return Promise.reject(nodeError("node.overloaded", "too many questions to the realm at one time", { retry_after_ms: 1_000 }));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Told>();
    const end = (settle: () => void): void => {
      if (!this.#open.delete(id)) return;
      timer[Symbol.dispose]();
      listening[Symbol.dispose]();
      settle();
    };
    const late = nodeError("node.timed_out", `the realm did not answer in ${o.ms} ms`, { uncertain: true });
    this.#open.set(id, { answer: (told) => end(() => resolve(told)), fail: (fault) => end(() => reject(fault)) });
    const timer = o.clock.after(o.ms, () => end(() => reject(late)));
    const listening = onAbort(o.signal, (reason) => end(() => reject(reason)));
    send();
    return promise;
  }

  /** False when nobody asks (any more). */
  answer(id: string, told: Told): boolean {
    const question = this.#open.get(id);
    question?.answer(told);
    return question !== undefined;
  }

  fail(id: string, fault: Fault): boolean {
    const question = this.#open.get(id);
    question?.fail(fault);
    return question !== undefined;
  }

  failAll(fault: Fault): void {
    for (const question of this.#open.values()) question.fail(fault);
  }
}
