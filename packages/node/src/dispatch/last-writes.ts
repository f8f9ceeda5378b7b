/** The last write of a message, and what is counted by it (spec: node 4.7, 4.9, 4.13). */
import type { StateOp, Write } from "@atoll-run/core";
import { isNamed } from "../mailbox/intake.ts";
import type { Message } from "../mailbox/message.ts";
import type { Retention } from "../mailbox/retention.ts";
import type { Room } from "../mailbox/room.ts";
import type { Frames } from "../mailbox/frames.ts";
import type { LetterCount } from "../mailbox/letter-count.ts";
import { Row, type RowParts } from "../mailbox/row.ts";
import type { Seen } from "../mailbox/seen.ts";
import type { SteadyNow } from "../mailbox/steady-clock.ts";
import type { MessageSpans } from "../observe/message-spans.ts";
import { completionOps, writeOps, type Ending } from "./completion.ts";
import type { InboxLimits, InboxParts } from "./parts.ts";
import type { Burial } from "./verdict.ts";
import { toWorkload } from "./workload-message.ts";

/** What is remembered of the node itself; the widest window of answers. */
export const MAILBOX_SPACE = "node:mailbox";
export const WINDOW_KEY = "dedup_window_ms";

/** What it counts in and writes with. */
export interface LastWritesOwner {
  readonly parts: InboxParts;
  readonly limits: InboxLimits;
  readonly now: SteadyNow;
  readonly room: Room;
  readonly frames: Frames;
  readonly letters: LetterCount;
  readonly retention: Retention;
  readonly seen: Seen;
  readonly stats: { dead_letters_total: number };
  readonly spans: MessageSpans | undefined;
  windowMs: number;
  rowParts(message: Message): RowParts;
  gone(message: Message): void;
}

export class LastWrites {
  readonly #owner: LastWritesOwner;
  readonly #load: (message: Message) => Promise<boolean>;

  constructor(owner: LastWritesOwner, load: (message: Message) => Promise<boolean>) {
    this.#owner = owner;
    this.#load = load;
  }

  /** The message is over, as soon as that is stored. */
  finish(message: Message, ending: Ending, writes: readonly Write[]): void {
    message.ending = ending.settled;
    this.#owner.spans?.commit(message, ending.burial?.reason ?? "done");
    if (ending.burial === undefined || message.body !== undefined || message.policy.volatile) {
      return this.#write(message, ending, writes);
    }
    // Its letter needs the bytes as they came.
    const write = (): void => this.#write(message, ending, writes);
    void this.#load(message).then(write, write);
  }

  #write(message: Message, given: Ending, writes: readonly Write[]): void {
    const owner = this.#owner;
    const ending = message.row === undefined ? withoutRow(message, given, writes) : given;
    const row = message.row ?? (needsCommit(ending, writes)
      ? new Row({ ...owner.rowParts(message), bare: true }, true) : undefined);
    if (row === undefined) return owner.gone(message);
    message.row = row;
    let counts = { letters: 0, sent: 0 };
    row.finish({
      checks: writes.some(({ write }) => write === "check"), bytes: bytesOf(message, ending, writes),
      ops: () => {
        const { parts: { ids }, limits, now } = owner;
        const nowMs = now();
        const ops = completionOps({ message, ending, writes, nowMs, ids, replyTtlMs: limits.mailbox.dedupTtlMs });
        if (ending.burial !== undefined) ops.push(...this.#buried(message, ending.burial, nowMs));
        counts = { letters: 0, sent: 0 };
        for (const { op } of ops) {
          if (op === "bury") counts.letters += 1;
          if (op === "send") counts.sent += 1;
        }
        const { dedupTtlMs } = message.policy;
        if (ending.remember && dedupTtlMs > owner.windowMs) {
          ops.push({ op: "put", space: MAILBOX_SPACE, key: WINDOW_KEY, value: String(dedupTtlMs), if_version: null });
        }
        return ops;
      },
      done: () => this.#count(message, ending, counts),
    });
  }

  /** What host or workload want done with the letter. */
  #buried(message: Message, { reason, fault, also }: Burial, nowMs: number): readonly StateOp[] {
    const { ids, workload } = this.#owner.parts;
    if (also !== undefined) return also;
    const writes = workload().buried?.(toWorkload(message), { reason, fault }) ?? [];
    return writeOps(writes, { nowMs, ids, traceparent: message.traceparent });
  }

  #count(message: Message, ending: Ending, { letters, sent }: { readonly letters: number; readonly sent: number }): void {
    const { room, frames, letters: counted, stats, now, seen, retention, parts } = this.#owner;
    const { letter, policy: { dedupTtlMs } } = message;
    if (letters > 0) {
      stats.dead_letters_total += letters;
      room.bury(letters, message.bytes);
      counted.add(ending.burial?.reason ?? "", letters);
    }
    if (letter !== undefined && ending.burial === undefined) {
      counted.handled(letter);
      if (!frames.gone(letter)) room.bury(-1, -message.bytes);
    }
    if (ending.remember) {
      const untilMs = now() + dedupTtlMs;
      this.#owner.windowMs = Math.max(this.#owner.windowMs, dedupTtlMs);
      seen.add(message.name, untilMs);
      room.remember(1, ending.settled.is === "reply" ? ending.settled.payload.length : 0);
      retention.note(untilMs);
    }
    if (sent > 0) parts.outboxChanged?.();
  }
}

/** What is kept of a message that has no row (spec: node 4.7). */
function withoutRow(message: Message, ending: Ending, writes: readonly Write[]): Ending {
  const { volatile } = message.policy;
  const { is, settled, burial } = ending;
  const remember = ending.remember && !volatile && (writes.length > 0 || message.arrivals.some(isNamed));
  const kept: Ending = { is, settled, writes: ending.writes, remember };
  return burial === undefined || volatile ? kept : { ...kept, burial };
}

function needsCommit(ending: Ending, writes: readonly Write[]): boolean {
  return ending.remember || ending.burial !== undefined || ending.writes && writes.length > 0;
}

function bytesOf(message: Message, { settled, burial }: Ending, writes: readonly Write[]): number {
  let bytes = settled.is === "reply" ? settled.payload.length : 0;
  if (burial !== undefined) bytes += message.bytes;
  for (const write of writes) {
    if (write.write === "set" || write.write === "put") bytes += write.value?.length ?? 0;
    else if (write.write === "tell") bytes += write.payload.length;
    else if (write.write === "append") bytes += write.body.length;
  }
  return bytes;
}
