/**
 * Answers to legacy callers on a link that broke (spec: node 4.13). They do not ask again, as aware ones do: what was
 * handed to their link goes once more when they are back in time.
 */
import type { Envelope } from "@atoll-run/core/internal";

interface Kept {
  readonly envelope: Envelope;
  /** Monotonic milliseconds: nobody waits for it afterwards. */
  readonly untilMs: number;
}

/** Of one caller: what a link may hold that nobody has read. */
const BYTES_MAX = 256 * 1_024;
const ANSWERS_MAX = 64;
const CALLERS_MAX = 1_024;

export class KeptAnswers {
  /** By text of the caller's id, the callers with the newest answers last. */
  readonly #kept = new Map<string, Kept[]>();

  keep(peer: string, envelope: Envelope, untilMs: number): void {
    const kept = this.#kept.get(peer) ?? [];
    kept.push({ envelope, untilMs });
    let bytes = kept.reduce((sum, one) => sum + size(one), 0);
    while (kept.length > ANSWERS_MAX || bytes > BYTES_MAX) {
      const [oldest] = kept.splice(0, 1);
      if (oldest === undefined) break;
      bytes -= size(oldest);
    }
    this.#kept.delete(peer);
    if (kept.length > 0) this.#kept.set(peer, kept);
    const [first] = this.#kept.size > CALLERS_MAX ? this.#kept.keys() : [];
    if (first !== undefined) this.#kept.delete(first);
  }

  /** Its link has ended as it should: what was sent has arrived. */
  forget(peer: string): void {
    this.#kept.delete(peer);
  }

  /** It is back: takes out what it may still wait for. */
  take(peer: string, nowMs: number): readonly Envelope[] {
    const kept = this.#kept.get(peer) ?? [];
    this.#kept.delete(peer);
    return kept.filter(({ untilMs }) => untilMs > nowMs).map(({ envelope }) => envelope);
  }
}

function size({ envelope }: Kept): number {
  return (envelope.payload?.length ?? 0) + 256;
}
