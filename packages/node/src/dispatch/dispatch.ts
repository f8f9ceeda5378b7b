/**
 * Runs messages (spec: node 4.10 to 4.16).
 *
 * takes messages that were admitted or recovered; gives each one ending; promises order for a key, that a handler hears
 * when its time is over, and that what is given up goes back uncounted; refuses nothing, its owner bounds it; never
 * tells anybody an ending before it is stored.
 */
import {
  isFault, nodeError, PassingMap, type Clock, type Fault, type Ids, type Log, type Outcome, type Workload,
} from "@atoll-run/core";
import type { Report } from "../hooks/report.ts";
import type { LimitsOf } from "../limits.ts";
import type { Message } from "../mailbox/message.ts";
import type { Figures } from "../observe/figures.ts";
import type { MessageSpans } from "../observe/message-spans.ts";
import type { SteadyNow } from "../mailbox/steady-clock.ts";
import { Agenda } from "./agenda.ts";
import { HandlerContext, type ContextParts } from "./context.ts";
import { Schedule } from "./schedule.ts";
import { expired, failure, judgeDone, judgeFault, judgeOutcome, toError, type Judged, type Verdict } from "./verdict.ts";
import type { Ending } from "./completion.ts";
import { toWorkload } from "./workload-message.ts";

export interface DispatchParts {
  readonly clock: Clock;
  readonly now: SteadyNow;
  readonly random: () => number;
  readonly ids: Ids;
  readonly log?: Log | undefined;
  readonly report: Report;
  readonly workload: () => Workload;
  readonly figures: Figures;
  /** Undefined: nobody takes spans. */
  readonly spans: MessageSpans | undefined;
  readonly context: Omit<ContextParts, "newChain" | "awaiting" | "moved">;
  /** Its body, from the disk when it is not here; undefined when it is gone. */
  load(message: Message): Promise<boolean>;
  /** It is over; `writes` are done with it when the ending says so. */
  finish(message: Message, ending: Ending, writes: HandlerContext["writes"]): void;
}

export interface DispatchStats {
  dispatched_total: number;
  retries_total: number;
}

export class Dispatch {
  readonly stats: DispatchStats = { dispatched_total: 0, retries_total: 0 };
  readonly #parts: DispatchParts;
  readonly #limits: LimitsOf<"dispatch">;
  readonly #schedule: Schedule<Message>;
  readonly #agenda: Agenda<Message>;
  readonly #contexts = new PassingMap<Message, HandlerContext>();
  readonly #context: ContextParts;
  readonly #parked = new Map<string, Set<Message>>();
  /** Wait for their lease to be stored. */
  readonly #leasing = new Map<Message, () => void>();
  /** Running with a call of their own since then. */
  readonly #awaitingSince = new Map<Message, number>();
  /** Handlers were told that the node ends. */
  #stopping = false;
  readonly #stopped: Message[] = [];
  #open = false;
  #paused = false;
  #idle: (() => void)[] = [];
  #gaveUp = false;

  constructor(parts: DispatchParts, limits: LimitsOf<"dispatch">) {
    this.#parts = parts;
    this.#limits = limits;
    this.#schedule = new Schedule(limits);
    this.#agenda = new Agenda({ clock: parts.clock, now: parts.now, due: (message) => this.#due(message) });
    this.#context = {
      ...parts.context, newChain: (message) => this.#newChain(message), awaiting: (message) => this.#awaiting(message),
      moved: (message) => this.#plan(message),
    };
  }

  get running(): number {
    return this.#contexts.size;
  }

  open(): void {
    this.#open = true;
    this.pump();
  }

  /** Nothing begins any more. */
  shut(): void {
    this.#open = false;
  }

  /** The workload is being rebuilt: nothing begins meanwhile. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.pump();
  }

  /** Takes its place; with `readyAtMs` not before that. */
  enter(message: Message, readyAtMs: number): void {
    const away = readyAtMs > this.#parts.now();
    if (away) message.readyAtMs = readyAtMs;
    const starts = !away && this.#open && !this.#paused && this.#schedule.begin(message);
    if (!starts) this.#schedule.add(message, { away });
    this.#plan(message);
    if (message.parked !== undefined) this.#park(message, message.parked);
    if (starts) this.#start(message);
    else if (!away) this.pump();
  }

  /** Starts what may start. */
  pump(): void {
    if (!this.#open || this.#paused || this.#schedule.ready === 0) return;
    for (let next = this.#schedule.next(this.#parts.now()); next !== undefined;
      next = this.#schedule.next(this.#parts.now())) this.#start(next);
  }

  /** Wakes what is parked under that name; gives how many. */
  wake(name: string): number {
    const parked = [...this.#parked.get(name) ?? []];
    for (const message of parked) this.#ready(message);
    this.pump();
    return parked.length;
  }

  /** Ends the wait of one message; false when it does not wait for a time. */
  release(message: Message): boolean {
    if (message.phase !== "waiting" || message.readyAtMs <= this.#parts.now()) return false;
    this.#ready(message);
    message.row?.free({ readyAtMs: 0, counted: false });
    this.pump();
    return true;
  }

  /** It is stored: if it waited for that only, it may start. */
  admitted(message: Message): void {
    if (message.phase !== "waiting" || message.readyAtMs !== Infinity || message.parked !== undefined) return;
    this.#ready(message);
    this.pump();
  }

  /** Its lease is stored. */
  leased(message: Message): void {
    this.#leasing.get(message)?.();
    this.#leasing.delete(message);
  }

  /** It is out of the store, or never came in: its place is free. */
  forget(message: Message): void {
    if (message.phase === "running") {
      // Not accepted after all: what its handler does is of no effect.
      message.phase = "ended";
      this.#contexts.get(message)?.abort(nodeError("node.unavailable", "the message could not be stored"));
      this.leased(message);
    }
    message.phase = "ended";
    this.#unpark(message);
    message.holds = false;
    this.#leave(message);
    this.pump();
  }

  /** Its caller has given it up. */
  cancel(message: Message, reason: unknown): void {
    if (message.phase === "ended") return;
    message.cancelled = true;
    const context = this.#contexts.get(message);
    if (context !== undefined) context.abort(reason);
    else if (message.phase === "waiting") this.end(message, CANCELLED);
  }

  /** Ends what waits. */
  end(message: Message, ending: Ending): void {
    message.phase = "ended";
    this.#unpark(message);
    this.#agenda.set(message, Infinity);
    this.#schedule.remove(message);
    this.#parts.finish(message, ending, []);
    this.pump();
  }

  /** What it had read has changed: it runs again, and no attempt is counted. */
  conflict(message: Message): void {
    message.conflicts += 1;
    if (message.conflicts > this.#limits.conflictsMax) {
      const fault = nodeError("node.internal", `what it read was changed ${message.conflicts} times while it ran`);
      return this.#parts.finish(message, failure(message.kind, fault, "handler_failed"), []);
    }
    message.holds = false;
    message.phase = "waiting";
    this.#schedule.away(message);
    message.row?.lease();
    this.#ready(message);
    this.pump();
  }

  /** Tells all handlers to stop. */
  stopAll(reason: unknown): void {
    this.#stopping = true;
    for (const context of this.#contexts.values()) context.abort(reason);
  }

  /** Takes back what still runs: nothing they give counts any more. Gives the messages. */
  giveUp(): Message[] {
    this.#gaveUp = true;
    const given = [...this.#contexts.keys()].filter((message) => message.phase === "running");
    for (const message of given) {
      message.span?.end("returned");
      this.#contexts.get(message)?.end();
      message.phase = "ended";
    }
    return [...this.#stopped.splice(0), ...given];
  }

  /** Resolves when no handler runs, but for those that were given up. */
  idle(): Promise<void> {
    if (this.#gaveUp || this.#contexts.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  close(): void {
    this.#open = false;
    this.#agenda.end();
    for (const go of this.#leasing.values()) go();
    this.#leasing.clear();
  }

  #start(message: Message): void {
    message.phase = "running";
    message.runs += 1;
    message.crashed = false;
    message.readyAtMs = 0;
    message.limitAtMs = Infinity;
    message.row?.lease();
    const context = new HandlerContext(this.#context, message);
    this.#contexts.set(message, context);
    void this.#run(message, context);
  }

  /** Its time begins when its handler does, not while the store is asked. */
  #begin(message: Message, context: HandlerContext): void {
    const now = this.#parts.now();
    this.stats.dispatched_total += 1;
    if (message.runs === 1) this.#parts.figures.queueWait.observe(Math.max(0, now - message.acceptedAtMs) / 1_000);
    message.begunAtMs = this.#parts.clock.monotonic();
    message.limitAtMs = now + message.policy.handlerLimitMs;
    context.deadlineAtMs = Math.min(message.expiresAtMs, message.limitAtMs);
    this.#plan(message);
  }

  async #run(message: Message, context: HandlerContext): Promise<void> {
    let outcome: Outcome;
    try {
      if (mustBeLeased(message)) await this.#lease(message);
      if (message.envelope === undefined && !await this.#parts.load(message)) throw nodeError("node.internal", "the row is gone");
      // It may have ended while it waited for the store.
      if (message.phase === "running" && !this.#gone(message, context)) {
        this.#begin(message, context);
        const { spans } = this.#parts;
        outcome = await (spans === undefined ? this.#handle(message, context) : spans.dispatch(message, () => this.#handle(message, context)));
      } else outcome = NOT_RUN;
    } catch (error) {
      outcome = { is: "failed", fault: toFault(error) };
    }
    context.end();
    this.#ran(message, context, outcome);
  }

  #handle(message: Message, context: HandlerContext): Promise<Outcome> {
    return this.#parts.workload().dispatch(toWorkload(message), context);
  }

  #gone(message: Message, context: HandlerContext): boolean {
    return this.#contexts.get(message) !== context;
  }

  #lease(message: Message): Promise<void> | undefined {
    if (message.row === undefined || message.row.stored === "leased") return undefined;
    return new Promise((resolve) => this.#leasing.set(message, resolve));
  }

  #ran(message: Message, context: HandlerContext, outcome: Outcome): void {
    if (this.#gone(message, context)) return;
    this.#contexts.delete(message);
    this.#awaitingSince.delete(message);
    message.leavingUntilMs = 0;
    message.crashed = outcome.is === "again" && outcome.crashed === true;
    this.#measure(message, outcome.is);
    if (this.#stopping && message.phase === "running" && outcome.is !== "done" && outcome.is !== "rejected") {
      // It was told to stop and did: that is no failure.
      message.phase = "ended";
      this.#stopped.push(message);
    } else if (message.phase === "running") this.#apply(message, this.#judge(message, outcome), context);
    else if (message.phase === "ended") this.#leave(message);
    // It was stopped and waits for its next attempt.
    else this.#plan(message);
    this.#tellIdle();
    this.pump();
  }

  #measure(message: Message, outcome: string): void {
    if (message.begunAtMs === 0) return;
    this.#parts.figures.dispatch.observe(message.route, outcome, (this.#parts.clock.monotonic() - message.begunAtMs) / 1_000);
    message.begunAtMs = 0;
  }

  #judge(message: Message, outcome: Outcome): Verdict {
    if (outcome.is === "done") return judgeDone(message.kind, outcome);
    if (message.cancelled && outcome.is !== "rejected") return CANCELLED;
    // A handler that keeps its deadline itself may be told by its own clock first: what it says then is that its time is over.
    const late = outcome.is === "failed" ? this.#late(message) : undefined;
    return late ?? judgeOutcome(outcome, this.#judged(message));
  }

  #judged({ kind, policy, attempts, expiresAtMs, route, requestId }: Message): Judged & { route: string; requestId: string } {
    const { now, random } = this.#parts;
    return { kind, policy, attempts, expiresAtMs, nowMs: now(), random: random(), route, requestId };
  }

  /** `context` is undefined when the handler still runs. */
  #apply(message: Message, verdict: Verdict, context: HandlerContext | undefined): void {
    if (verdict.is === "wait") return this.#wait(message, verdict);
    if (verdict.burial?.reason === "handler_failed") {
      // Its letter tells all attempts, the last one too.
      message.attempts += 1;
      this.#reportFailure(message, verdict.burial.fault);
    }
    message.phase = "ended";
    const writes = verdict.writes ? context?.writes ?? [] : [];
    // What comes next under its key must see what it wrote; and it may have to run again.
    message.holds = writes.length > 0 && (message.key !== null || writes.some(isCheck));
    this.#leave(message);
    this.#parts.finish(message, verdict, writes);
  }

  #wait(message: Message, { atMs, counted, parked }: Verdict & { readonly is: "wait" }): void {
    message.phase = "waiting";
    message.readyAtMs = atMs;
    if (counted) {
      message.attempts += 1;
      this.stats.retries_total += 1;
    }
    this.#schedule.away(message);
    if (!message.crashed) message.row?.free({
      readyAtMs: Math.min(atMs, Number.MAX_SAFE_INTEGER), counted, ...parked === undefined ? {} : { parked },
    });
    if (parked !== undefined) this.#park(message, parked);
    this.#plan(message);
  }

  /** An instant of this message has come. */
  #due(message: Message): void {
    const now = this.#parts.now();
    if (message.phase === "ended") return this.#giveAway(message, now);
    const late = this.#late(message);
    if (late !== undefined) return message.phase === "waiting" ? this.end(message, late as Ending) : this.#cut(message, late);
    if (message.phase === "running") this.#warnOfDeadlock(message, now);
    else if (message.readyAtMs <= now && message.leavingUntilMs <= now) this.#ready(message);
    this.#plan(message);
    this.pump();
  }

  /** What becomes of a message whose time, or that of its handler, is over. Undefined: it is not. */
  #late(message: Message): Verdict | undefined {
    const now = this.#parts.now();
    if (message.expiresAtMs <= now) return expired(message.kind);
    if (message.phase !== "running" || message.limitAtMs > now) return undefined;
    const fault = nodeError("node.timed_out", `the handler took longer than ${message.policy.handlerLimitMs} ms`);
    return judgeFault(fault, this.#judged(message));
  }

  /** Ends a run from outside. The handler is told, and keeps its place for a while. */
  #cut(message: Message, verdict: Verdict): void {
    const context = this.#contexts.get(message);
    message.leavingUntilMs = this.#parts.now() + this.#limits.stoppingMs;
    context?.abort(nodeError("node.timed_out", "the time of the handler is over"));
    context?.end();
    message.span?.end("timed_out", "node.timed_out");
    this.#measure(message, "timed_out");
    this.leased(message);
    this.#apply(message, verdict, undefined);
    this.pump();
  }

  /** The handler was told to stop long ago. */
  #giveAway(message: Message, now: number): void {
    if (message.leavingUntilMs > now) return this.#plan(message);
    if (this.#contexts.delete(message)) {
      this.#parts.log?.write({
        level: "warn", target: "dispatch", msg: "a handler goes on after it was stopped; its place is given away",
        fields: { route: message.route, request_id: message.requestId },
      });
    }
    this.#leave(message);
    this.#tellIdle();
    this.pump();
  }

  /** Out of the schedule, when neither its handler nor its last write needs the place. */
  #leave(message: Message): void {
    this.#plan(message);
    if (!this.#contexts.has(message) && !message.holds) this.#schedule.remove(message);
  }

  /** Its time to wait is over. */
  #ready(message: Message): void {
    this.#unpark(message);
    message.readyAtMs = 0;
    this.#schedule.wake(message);
    this.#plan(message);
  }

  #park(message: Message, name: string): void {
    message.parked = name;
    this.#parked.set(name, (this.#parked.get(name) ?? new Set()).add(message));
  }

  #unpark(message: Message): void {
    if (message.parked === undefined) return;
    const parked = this.#parked.get(message.parked);
    parked?.delete(message);
    if (parked?.size === 0) this.#parked.delete(message.parked);
    message.parked = undefined;
  }

  #plan(message: Message): void {
    this.#agenda.set(message, this.#nextInstant(message));
  }

  #nextInstant(message: Message): number {
    const { phase, expiresAtMs, readyAtMs, limitAtMs, leavingUntilMs } = message;
    if (phase === "ended") return this.#contexts.has(message) ? leavingUntilMs : Infinity;
    if (phase === "running") {
      const since = this.#awaitingSince.get(message);
      return Math.min(expiresAtMs, limitAtMs, since === undefined ? Infinity : since + this.#limits.deadlockMs);
    }
    const leaving = this.#contexts.has(message) ? leavingUntilMs : 0;
    return Math.min(expiresAtMs, readyAtMs > 0 ? Math.max(readyAtMs, leaving) : Infinity);
  }

  #newChain(message: Message): Uint8Array {
    const id = Buffer.from(this.#parts.ids.uuid7().replaceAll("-", ""), "hex");
    message.addChain(`c:${id.toString("hex")}`);
    return id;
  }

  #awaiting(message: Message): Disposable {
    const entered = this.#schedule.awaiting(message);
    if (message.key !== null && !this.#awaitingSince.has(message)) {
      this.#awaitingSince.set(message, this.#parts.now());
      this.#plan(message);
    }
    return { [Symbol.dispose]: () => {
      entered[Symbol.dispose]();
      this.#awaitingSince.delete(message);
    } };
  }

  #warnOfDeadlock(message: Message, now: number): void {
    const since = this.#awaitingSince.get(message);
    if (since === undefined || now - since < this.#limits.deadlockMs) return;
    this.#awaitingSince.set(message, Infinity);
    if (!this.#schedule.blocks(message)) return;
    this.#parts.log?.write({
      level: "warn", target: "dispatch", msg: "possible_deadlock",
      fields: { route: message.route, request_id: message.requestId, key: message.key, held_ms: now - since },
    });
  }

  #reportFailure({ route, requestId, sender, kind }: Message, error: Fault): void {
    this.#parts.report("error", {
      error, category: "handler_error", context: `${kind} ${route}`, request_id: requestId, route, peer: sender,
    });
  }

  #tellIdle(): void {
    if (this.#contexts.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

const NOT_RUN: Outcome = { is: "again", after_ms: 0 };
const CANCELLED: Ending = {
  is: "end", settled: toError(nodeError("node.cancelled", "the caller has given it up")), writes: false, remember: false,
};

/** What may not run before the store knows that it runs. */
function mustBeLeased({ policy, recovered, crashes }: Message): boolean {
  return recovered || crashes > 0 || policy.redeliver === "never";
}

function isCheck({ write }: { readonly write: string }): boolean {
  return write === "check";
}

function toFault(error: unknown): Fault {
  if (isFault(error)) return error;
  const text = error instanceof Error ? error.message : String(error);
  return nodeError("node.internal", text, { cause: error });
}
