/**
 * Dead letters of what was never accepted (spec: node 4.8, 4.18): so many in all, so many a minute of one peer; the
 * oldest gives way.
 */
import { nodeError, type Fault, type Letter, type StateOp, type StateStore } from "@atoll-run/core";
import type { Envelope } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { Commits } from "./commits.ts";
import type { LetterCount } from "./letter-count.ts";
import { aboutFault, frameLetter, type LetterAbout } from "./letters.ts";
import type { SteadyNow } from "./steady-clock.ts";

export interface Unreadable {
  readonly reason: "frame_undecodable" | "envelope_invalid";
  readonly sender: string;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly lane: string;
}

export interface UnknownRoute {
  readonly sender: string;
  readonly route: string;
  readonly bytes: Uint8Array;
  readonly lane: string;
  readonly kind: "call" | "tell";
  /** Absent: this process. */
  readonly proof?: "key" | "bearer";
  readonly envelope: Envelope;
  readonly fault: Fault;
}

export interface FramesParts {
  readonly store: StateStore;
  readonly scope: string;
  readonly now: SteadyNow;
  readonly commits: Commits;
  readonly letters: LetterCount;
}

const MINUTE_MS = 60_000;

export class Frames {
  readonly #parts: FramesParts;
  readonly #limits: LimitsOf<"mailbox">;
  /** What each peer has had in its minute. */
  readonly #peers = new Map<string, { sinceMs: number; count: number }>();
  /** Reasons of the letters by their `seq`, the oldest first. */
  readonly #letters = new Map<number, string>();
  #waiting = 0;
  /** Not buried, because there were too many. */
  dropped = 0;

  constructor(parts: FramesParts, limits: LimitsOf<"mailbox">) {
    this.#parts = parts;
    this.#limits = limits;
  }

  get count(): number {
    return this.#letters.size;
  }

  /** A letter of an earlier process, ascending. */
  known({ seq, reason }: Letter): void {
    this.#letters.set(seq, reason);
  }

  /** It is no letter any more; false when it was none of these. */
  gone(seq: number): boolean {
    return this.#letters.delete(seq);
  }

  bury({ reason, sender, bytes, text, lane }: Unreadable): void {
    this.#bury(sender, null, { reason, bytes, about: { ...aboutFault(nodeError("node.decode_failure", text)), lane } });
  }

  buryUnknownRoute({ sender, route, bytes, lane, kind, proof, envelope, fault }: UnknownRoute): void {
    const { request_id, traceparent } = envelope;
    this.#bury(sender, route, { reason: "unknown_route", bytes, about: {
      ...aboutFault(fault), kind, ...proof === undefined ? {} : { proof }, request_id, lane, ...traceparent === undefined ? {} : { traceparent },
    } });
  }

  #bury(
    sender: string, route: string | null, o: { readonly reason: string; readonly bytes: Uint8Array; readonly about: LetterAbout },
  ): void {
    if (!this.#mayBury(sender) || this.#waiting >= this.#limits.frameLettersMax) {
      this.dropped += 1;
      return;
    }
    this.#waiting += 1;
    const letter = frameLetter({ ...o, sender, route, nowMs: this.#parts.now() });
    const end = (): void => {
      this.#waiting -= 1;
    };
    this.#parts.commits.add({
      alone: false, bytes: o.bytes.length,
      prepare: () => [{ op: "bury", letter }, ...this.#evict()],
      done: ([seq = 0]) => {
        end();
        this.#letters.set(seq, o.reason);
        this.#parts.letters.add(o.reason, 1);
      },
      refused: end,
      failed: end,
    });
  }

  /** Room for one more. */
  #evict(): StateOp[] {
    const over = this.#letters.size + this.#waiting - this.#limits.frameLettersMax;
    const [oldest] = this.#letters;
    if (over <= 0 || oldest === undefined) return [];
    const [seq, reason] = oldest;
    this.dropped += 1;
    this.#letters.delete(seq);
    this.#parts.letters.purged(seq, reason);
    return [{ op: "purge", seq }];
  }

  #mayBury(sender: string): boolean {
    const now = this.#parts.now();
    const peer = this.#peers.get(sender);
    if (peer === undefined || now - peer.sinceMs >= MINUTE_MS) {
      this.#peers.delete(sender);
      const [oldest] = this.#peers.keys();
      if (this.#peers.size >= this.#limits.framePeersMax && oldest !== undefined) this.#peers.delete(oldest);
      this.#peers.set(sender, { sinceMs: now, count: 1 });
      return true;
    }
    peer.count += 1;
    return peer.count <= this.#limits.frameLettersPerMinute;
  }
}
