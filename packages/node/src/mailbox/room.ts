/**
 * What there is room for (spec: node 4.8, 4.9, 4.18, 5.5). Counts only; it stores nothing.
 *
 * takes what was admitted, stored and dropped; gives a refusal when something is full; promises that a refusal says
 * when to come again; refuses by rows, bytes, sender, answers, letters and free disk; never forgets what it has counted.
 */
import { nodeError, PassingMap, type NodeError } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { SteadyNow } from "./steady-clock.ts";

/** What all nodes of a process have together. */
export interface ProcessRoom {
  bytes: number;
  answers: number;
  answerBytes: number;
}

export function createProcessRoom(): ProcessRoom {
  return { bytes: 0, answers: 0, answerBytes: 0 };
}

export interface RoomParts {
  readonly now: SteadyNow;
  readonly shared: ProcessRoom;
  /** Free bytes where the store is; absent = it has no disk. */
  readonly freeBytes?: (() => Promise<number>) | undefined;
  /** Depth went over the soft threshold, or back under half of it. */
  edge(edge: "rising" | "falling", depth: number): void;
}

export interface Wish {
  readonly sender: string;
  readonly high: boolean;
  readonly bytes: number;
}

/** Finished messages are counted in so many milliseconds, to tell how fast the mailbox drains. */
const RATE_MS = 1_000;

export class Room {
  readonly #parts: RoomParts;
  readonly #limits: LimitsOf<"mailbox">;
  readonly #senders = new PassingMap<string, number>();
  depth = 0;
  bytes = 0;
  answers = 0;
  answerBytes = 0;
  letters = 0;
  letterBytes = 0;
  #over = false;
  #freeBytes = Infinity;
  #lookedAtMs = -Infinity;
  #looking = false;
  #rate = 0;
  #finished = 0;
  #finishedSinceMs = 0;

  constructor(parts: RoomParts, limits: LimitsOf<"mailbox">) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** Why there is no room. */
  refusal({ sender, high, bytes }: Wish): NodeError | undefined {
    const { hardRowsMax, highShare, hardBytesMax, senderRowsMax, dedupEntriesMax, dedupBytesMax, diskFloorBytes } = this.#limits;
    this.#look();
    const rows = high ? hardRowsMax : Math.floor(hardRowsMax * (1 - highShare));
    if (this.depth >= rows) return this.#overloaded(`the mailbox is full (${this.depth} messages)`);
    if (this.bytes + bytes > hardBytesMax && this.depth > 0) return this.#overloaded("the mailbox is full (bytes)");
    if ((this.#senders.get(sender) ?? 0) >= senderRowsMax) return this.#overloaded("too many messages of this sender wait");
    const { shared } = this.#parts;
    if (shared.bytes + bytes > this.#limits.processBytesMax && shared.bytes > 0) {
      return this.#overloaded("the mailboxes of this process are full (bytes)");
    }
    if (shared.answers + this.depth >= dedupEntriesMax || shared.answerBytes >= dedupBytesMax) {
      return this.#overloaded("too many answers are remembered");
    }
    if (this.letters >= this.#limits.lettersMax || this.letterBytes >= this.#limits.letterBytesMax) {
      return this.#overloaded("too many dead letters: redrive or purge them");
    }
    if (this.#freeBytes < diskFloorBytes) {
      return nodeError("node.storage_full", "the disk is nearly full", { retry_after_ms: this.#limits.storeBackoffMsMax });
    }
    return undefined;
  }

  enter({ sender, bytes }: Wish): void {
    this.depth += 1;
    this.bytes += bytes;
    this.#parts.shared.bytes += bytes;
    this.#senders.set(sender, (this.#senders.get(sender) ?? 0) + 1);
    if (!this.#over && this.depth >= this.#limits.softRowsMax) this.#cross(true);
  }

  leave({ sender, bytes }: Wish): void {
    this.depth -= 1;
    this.bytes -= bytes;
    this.#parts.shared.bytes -= bytes;
    const left = (this.#senders.get(sender) ?? 1) - 1;
    if (left > 0) this.#senders.set(sender, left);
    else this.#senders.delete(sender);
    this.#count();
    if (this.#over && this.depth <= this.#limits.softRowsMax / 2) this.#cross(false);
  }

  remember(answers: number, bytes: number): void {
    this.answers += answers;
    this.answerBytes += bytes;
    this.#parts.shared.answers += answers;
    this.#parts.shared.answerBytes += bytes;
  }

  /** So many are over. Their bytes are not known: the share that they have of all. */
  forget(gone: number): void {
    // Hosts may have remembered more under this scope.
    const answers = Math.min(gone, this.answers);
    this.remember(-answers, -Math.round(this.answerBytes * Math.min(1, answers / Math.max(1, this.answers))));
  }

  bury(letters: number, bytes: number): void {
    this.letters += letters;
    this.letterBytes += bytes;
  }

  /** Gives back what is counted for the whole process. */
  close(): void {
    this.#parts.shared.bytes -= this.bytes;
    this.remember(-this.answers, -this.answerBytes);
  }

  #cross(rising: boolean): void {
    this.#over = rising;
    this.#parts.edge(rising ? "rising" : "falling", this.depth);
  }

  #overloaded(text: string): NodeError {
    return nodeError("node.overloaded", text, { retry_after_ms: this.retryAfterMs() });
  }

  /** When half of what waits now is likely to be done. */
  retryAfterMs(): number {
    const { retryAfterMsMin, retryAfterMsMax } = this.#limits;
    const ms = this.#rate === 0 ? retryAfterMsMax : this.depth / this.#rate * RATE_MS;
    return Math.ceil(Math.min(retryAfterMsMax, Math.max(retryAfterMsMin, ms)));
  }

  #count(): void {
    const now = this.#parts.now();
    const passedMs = now - this.#finishedSinceMs;
    this.#finished += 1;
    if (passedMs < RATE_MS && this.#rate > 0) return;
    this.#rate = this.#finished * RATE_MS / Math.max(1, Math.min(passedMs, RATE_MS));
    this.#finished = 0;
    this.#finishedSinceMs = now;
  }

  /** Looks at the disk again when the last look is old; the answer counts for those that come later. */
  #look(): void {
    const { freeBytes, now } = this.#parts;
    const nowMs = now();
    if (freeBytes === undefined || this.#looking || nowMs - this.#lookedAtMs < this.#limits.diskLookMs) return;
    this.#looking = true;
    void freeBytes().then((free) => this.#freeBytes = free, () => this.#freeBytes = Infinity).finally(() => {
      this.#looking = false;
      this.#lookedAtMs = this.#parts.now();
    });
  }
}
