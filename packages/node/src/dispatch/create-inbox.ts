/** Mailbox and dispatch of a node with their life (spec: node 3.1 steps 2, 4 and 12, 3.3 steps 2, 4 and 5). */
import { must, nodeError, withDeadline, type Clock, type NewLetter, type Write } from "@atoll-run/core";
import { createDeadLetterAdmin, type DeadLetterAdmin } from "../mailbox/dead-letter-admin.ts";
import { createMailboxAdmin, type MailboxAdmin } from "../mailbox/mailbox-admin.ts";
import { liveMailbox, takeRedrive } from "./live-admin.ts";
import type { Inbox } from "../mailbox/inbox.ts";
import { inboxStats } from "./inbox-stats.ts";
import { NodeInbox } from "./node-inbox.ts";
import { inboxLimits, type InboxLimitsSet, type InboxParts } from "./parts.ts";
import { recover, type Recovered } from "./recover.ts";
import { apply } from "./side-writes.ts";

export interface Drained {
  /** Messages that were finished meanwhile. */
  readonly handled: number;
  /** Given up and back in the mailbox, no attempt counted. */
  readonly returned: number;
}

/** Closed → recover → open → stopIntake → drain → close. Only `admit`, `unreadable` and `depth` are for the gate. */
export interface InboxLife extends Inbox {
  /** Takes the scope, and looks at what earlier processes left. Throws the fault of the store. */
  recover(): Promise<Recovered>;
  /**
   * Does in one commit what a hook or a stream reader has recorded. Throws `node.internal` when a document that was
   * checked has moved, or the fault of the store.
   */
  apply(writes: readonly Write[]): Promise<void>;
  /** Takes arrivals and begins to run, recovered rows first. */
  open(): void;
  /** From now on arrivals are refused with `node.draining`. */
  stopIntake(): void;
  /** Lets handlers finish; after 80 % of the time their signals abort, at its end they are given up. */
  /** `signal`: handlers hear at once that they are to stop, and are given up soon. */
  drain(o: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined }): Promise<Drained>;
  /** Lets go of timers; what is not stored by then is not stored. Not before `drain`. */
  close(): Promise<void>;
  /** As `attach` gave it; for others who write under the same scope. Throws before {@link recover}. */
  readonly epoch: number;
  /** Frees what is parked under that name; gives how many. */
  wake(name: string): number;
  /** Rows, for people. */
  readonly mailbox: MailboxAdmin;
  /** Dead letters, for people. */
  readonly deadLetters: DeadLetterAdmin;
  /** While the workload is being rebuilt. */
  pause(paused: boolean): void;
  /** False when the store has failed for so long that the node cannot promise anything. */
  readonly ready: boolean;
  /** Another room has written a dead letter of this node. */
  buried(letter: NewLetter): void;
  /** Under the names of their metrics, labels included. */
  stats(): Readonly<Record<string, number>>;
}

/** How long the last writes may take at the end. */
const LAST_WRITES_MS = 3_000;
/** And how long handlers get to hear that they are to stop, when nobody waits for them any more. */
const LOST_MS = 200;

export function createInbox(parts: InboxParts, limits: InboxLimitsSet = {}): InboxLife {
  const inbox = new NodeInbox(parts, inboxLimits(limits, parts.workload().concurrency));
  const { dispatch, commits, spans } = inbox;
  return {
    get depth() {
      return inbox.depth;
    },
    get epoch() {
      return must(commits.epoch, "an inbox is recovered before others write");
    },
    get ready() {
      return commits.failingMs < inbox.limits.mailbox.storeDownMs;
    },
    apply: (writes) => apply(inbox, writes),
    admit: spans === undefined ? (arrival) => inbox.admit(arrival)
      : (arrival) => spans.accept(arrival, () => inbox.admit(arrival)),
    unreadable: (o) => inbox.unreadable(o),
    recover: () => recover(inbox),
    open: () => {
      inbox.intake = "open";
      dispatch.open();
    },
    stopIntake: () => {
      inbox.intake = "draining";
    },
    mailbox: createMailboxAdmin({ ...parts, now: inbox.now, live: liveMailbox(inbox) }),
    deadLetters: createDeadLetterAdmin({
      ...parts, now: inbox.now, epoch: () => commits.epoch, mayDo: parts.mayDo ?? (() => true),
      take: (redrive) => takeRedrive(inbox, redrive), purged: (letter) => inbox.purged(letter),
    }),
    wake: (name) => dispatch.wake(name),
    pause: (paused) => dispatch.pause(paused),
    drain: (o) => drain(inbox, o),
    close: () => close(inbox),
    stats: () => inboxStats(inbox), buried: (letter) => inbox.buried(letter),
  };
}

async function drain(inbox: NodeInbox, { deadlineMs, signal }: Parameters<InboxLife["drain"]>[0]): Promise<Drained> {
  const { dispatch, commits, parts: { clock } } = inbox;
  inbox.intake = "draining";
  dispatch.shut();
  const before = inbox.stats.handled_total;
  const stop = (): void => dispatch.stopAll(nodeError("node.draining", "the node is closing"));
  const warn = clock.after(deadlineMs * inbox.limits.dispatch.drainSignalShare, stop);
  // Without a store no message ends: handlers get the time to hear that they are to stop.
  await within(clock, commits.ended ? Math.min(deadlineMs, LOST_MS) : deadlineMs, () => dispatch.idle(), signal);
  if (signal?.aborted === true) {
    stop();
    await within(clock, LOST_MS, () => dispatch.idle());
  }
  warn[Symbol.dispose]();
  const given = dispatch.giveUp();
  for (const message of given) inbox.giveBack(message);
  await within(clock, LAST_WRITES_MS, () => commits.settled());
  return { handled: inbox.stats.handled_total - before, returned: given.length };
}

async function close(inbox: NodeInbox): Promise<void> {
  const { dispatch, commits, retention, room, parts: { clock } } = inbox;
  inbox.intake = "draining";
  for (const message of dispatch.giveUp()) inbox.giveBack(message);
  dispatch.close();
  retention.end();
  await within(clock, LAST_WRITES_MS, () => commits.settled());
  commits.end();
  inbox.letGo();
  room.close();
}

/** What is not done in time is left as it is. */
async function within(clock: Clock, ms: number, work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  try {
    await withDeadline(work, { clock, ms, signal });
  } catch {
    // Its caller looks at what is left.
  }
}
