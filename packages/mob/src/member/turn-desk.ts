/**
 * Turns as a node's workload (spec: mob 3.7 to 3.9, 5.10): between the mailbox of a member and its code.
 *
 * takes messages of route `turn`; gives them to the code once it has begun; promises that the end of a turn and its entry
 * are one commit, whoever ends it; refuses nothing: what comes before the code waits; never settles a turn that the code has
 * not ended, but by {@link TurnDesk.cut}.
 */
import {
  onAbort, PassingMap, type DispatchContext, type Fault, type Outcome, type Workload, type WorkloadHost, type WorkloadMessage,
} from "@atoll-run/core";
import type { OpenSpan } from "@atoll-run/node";
import { mobError, type MobError } from "../errors.ts";
import type { MobTracer } from "../observe/tracer.ts";
import type { Hold } from "./host.ts";
import { TurnBook, type Begun, type BookParts } from "./turn-book.ts";
import { TurnContext, type FencedWhat } from "./turn-context.ts";
import { TurnTime, type TurnStop, type WallLeft } from "./turn-time.ts";
import { errorOf } from "./turn-entries.ts";
import type { TurnBody } from "./turn.ts";

export const TURN_ROUTE = "turn";

export interface DeskParts extends BookParts {
  readonly tracer?: MobTracer | undefined;
  readonly conversations: number;
  /** The code of a turn that was taken from it has tried that. */
  readonly refused: (what: FencedWhat, turnId: string) => void;
  /** Its code has no memory left: it is of no use any more. */
  readonly starved: (fault: Fault) => void;
  /** Its code goes on with a turn that has ended, and is let go of. */
  readonly stuck: () => void;
  readonly wallOf: (turnId: string) => WallLeft | undefined;
  closeInner(signal: AbortSignal): Promise<void>;
}

interface Run {
  readonly body: TurnBody;
  readonly context: TurnContext;
  readonly cut: PromiseWithResolvers<Outcome>;
  /** Resolves when it has its outcome. */
  readonly over: PromiseWithResolvers<void>;
  stop: TurnStop | undefined;
  /** Absent: its message ends it, and nothing else bounds its time. */
  time?: TurnTime;
  /** Decisions that its code waits for where it is, and the name of the newest. */
  holds: number;
  until: string;
  /** Its code has it. */
  works: boolean;
  /** Absent: nobody takes it, or no code has it yet. */
  span?: OpenSpan;
  /** What it ran in has died with it, or has no memory left: it waits for its member to go. */
  crashed: boolean;
}

const AGAIN = { is: "again", after_ms: 0 } as const satisfies Outcome;
const TEXT = new TextDecoder();
const ENCODER = new TextEncoder();
/** Faults of what the code runs in: it has died or was stopped, and the turn runs again. All others are the code's word. */
const NOT_ITS_OWN = /^(node|isle|run|script)\.|^bus\.(closed|overloaded|no_handler)$/;

export class TurnDesk {
  readonly workload: Workload;
  readonly #parts: DeskParts;
  readonly #book: TurnBook;
  readonly #runs = new PassingMap<string, Run>();
  #begun = Promise.withResolvers<Workload>();
  readonly #closing = new AbortController();
  #host: WorkloadHost | undefined;
  /** Who waits for a decision is parked from now on. */
  #parks = false;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#book = new TurnBook(parts);
    // The time that code holds the loop is looked at once for the mob, not for each member: no `linked` here.
    this.workload = {
      kind: "block", concurrency: parts.conversations,
      route: (route) => (route === TURN_ROUTE ? { policy: { senderKeys: true, handlerLimitMs: Infinity } } : undefined),
      start: async (host) => {
        this.#host = host;
      },
      dispatch: (message, context) => this.#dispatch(message, context),
      buried: (message, why) => [this.#book.buried(message, why)],
      close: ({ signal }) => parts.closeInner(signal),
    };
  }

  get running(): number {
    return this.#runs.size;
  }

  get soleTurn(): string | undefined {
    const [[only] = []] = this.#runs.size === 1 ? this.#runs : [];
    return only;
  }

  /** Turns are handed to code. */
  begun = false;

  /** Aborts when it shuts. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** For the code: what happens to it is told to its incarnation, not to the node. */
  hostFor(died: (fault: Fault) => void): WorkloadHost {
    const host = this.#host;
    if (host === undefined) throw mobError("mob.internal", "code begins after its node has");
    return { self: host.self, speaker: host.speaker, log: host.log, failed: (fault, context) => host.failed(fault, context), died };
  }

  /** Turns go to it from now on. */
  begin(inner: Workload): void {
    this.begun = true;
    this.#begun.resolve(inner);
  }

  /** Turns that come from now on wait, and who waits for a decision is parked. Resolves when none runs any more. */
  async pause(): Promise<void> {
    this.#begun = Promise.withResolvers();
    this.park();
    await Promise.all([...this.#runs.values()].flatMap(({ works, over }) => works ? [over.promise] : []));
  }

  /** Tells a running turn to stop; resolves when its code has. Undefined: it does not run. */
  stop(turnId: string, stop: TurnStop): Promise<void> | undefined {
    const run = this.#runs.get(turnId);
    if (run === undefined) return undefined;
    run.stop ??= stop;
    run.context.stop(stop.error);
    // No code has it yet, or any more.
    if (!this.begun || run.crashed) run.cut.resolve(AGAIN);
    return run.over.promise;
  }

  /** Ends it without its code, which was told to stop. */
  cut(turnId: string): void {
    const run = this.#runs.get(turnId);
    run?.context.cutOff();
    run?.cut.resolve(AGAIN);
  }

  /** Its code stays where it is while a decision is waited for. Undefined: it is parked instead. */
  hold(turnId: string, until: string): Hold | undefined {
    const run = this.#runs.get(turnId);
    if (run === undefined || this.#parks || run.context.signal.aborted) return undefined;
    run.time?.[Symbol.dispose]();
    const leftMs = run.context.hold();
    run.until = until;
    if (run.holds++ === 0) this.#book.waits(run.body, until, { leftMs, inPlace: true });
    const goOn = (): void => {
      if (--run.holds > 0 || run.context.signal.aborted || this.#runs.get(turnId) !== run) return;
      run.context.goOn(this.#book.goesOn(run.body, leftMs));
      this.#timeOf(run).arm();
      this.#timeOf(run).bound();
    };
    let waits = true;
    return { signal: run.context.signal, [Symbol.dispose]: () => {
      if (waits) goOn();
      waits = false;
    } };
  }

  /** Parks all that wait for a decision, now and from now on; what they still do does not count. */
  park(): void {
    this.#parks = true;
    for (const run of this.#runs.values()) {
      if (run.crashed) run.cut.resolve(AGAIN);
      if (run.holds === 0) continue;
      run.context.cutOff();
      run.cut.resolve({ is: "park", until: run.until });
      run.context.stop(mobError("mob.interrupted", "the member is being stopped"));
    }
  }

  /** Undefined: it does not run. */
  contextOf(turnId: string): TurnContext | undefined {
    return this.#runs.get(turnId)?.context;
  }

  /** What the turn asks of others is a part of that; undefined: nobody takes spans. */
  traceOf(turnId: string): string | undefined {
    return this.#runs.get(turnId)?.span?.traceparent;
  }

  /** Ends all that run as failed. Resolves when they are handed to the node. */
  async cutAll(why: MobError): Promise<void> {
    const all = [...this.#runs];
    for (const [turnId, run] of all) {
      // It has not begun: it stays what it is, a turn that waits.
      if (!run.works) {
        run.cut.resolve(AGAIN);
        continue;
      }
      void this.stop(turnId, { kind: "turn_failed", error: why });
      this.cut(turnId);
    }
    await Promise.all(all.map(([, { over }]) => over.promise));
  }

  /** Turns that code has. */
  get working(): readonly string[] {
    return [...this.#runs].flatMap(([turnId, { works }]) => works ? [turnId] : []);
  }

  /** Tells all code to stop; what it gives does not count. Gives the turns that it takes from their code. */
  shut(): readonly string[] {
    const taken = this.#closing.signal.aborted ? [] : this.working;
    this.#closing.abort(mobError("mob.interrupted", "the member is being stopped"));
    for (const run of this.#runs.values()) {
      run.context.stop(this.#closing.signal.reason);
      run.context.cutOff();
      run.cut.resolve(AGAIN);
    }
    return taken;
  }

  async #dispatch(message: WorkloadMessage, outer: DispatchContext): Promise<Outcome> {
    const body = JSON.parse(TEXT.decode(message.payload)) as TurnBody;
    const run: Run = {
      body, context: new TurnContext(outer, { clock: this.#parts.clock, refused: (what) => this.#parts.refused(what, body.turn_id) }),
      cut: Promise.withResolvers(), over: Promise.withResolvers(), stop: undefined, works: false, crashed: false, holds: 0, until: "",
    };
    this.#runs.set(body.turn_id, run);
    using _ = onAbort(outer.signal, () => run.cut.resolve(AGAIN));
    try {
      const inner = await Promise.race([this.#begun.promise, run.cut.promise]);
      if ("is" in inner) return await this.#end(body, { run, outer, outcome: inner });
      run.works = true;
      const begun = this.#book.began(body);
      // Its message has no end any more, since the time it has waited for a decision does not count.
      if (begun.has_waited) outer.expireAt?.(Infinity);
      if (outer.deadlineAtMs === Infinity) {
        run.context.deadlineAtMs = begun.deadline_at_ms;
        this.#timeOf(run).arm();
      }
      if (this.#parts.wallOf(body.turn_id) !== undefined) this.#timeOf(run).bound();
      const given = this.#give(inner, this.#toInner(message, body, begun), run);
      return await this.#end(body, { run, outer, outcome: await Promise.race([given, run.cut.promise]) });
    } finally {
      run.time?.[Symbol.dispose]();
      run.span?.end("again");
      run.context.end();
      this.#runs.delete(body.turn_id);
      run.over.resolve();
    }
  }

  #give(inner: Workload, message: WorkloadMessage, run: Run): Promise<Outcome> {
    const { tracer, member } = this.#parts;
    if (tracer === undefined) return inner.dispatch(message, run.context);
    const { turn_id, run: flow } = run.body;
    const span = tracer.begin("turn", { parent: message.traceparent, facts: { member, turn_id, attempt: message.attempt, ...flow } });
    run.span = span;
    const { traceparent } = span;
    return span.run(() => inner.dispatch(traceparent === undefined ? message : { ...message, traceparent }, run.context));
  }

  #timeOf(run: Run): TurnTime {
    const { clock, wallOf, stuck } = this.#parts;
    return run.time ??= new TurnTime(clock, {
      remainingMs: () => run.context.remainingMs(), wallLeft: () => wallOf(run.body.turn_id),
      stop: (why) => {
        run.stop ??= why;
        run.context.stop(run.stop.error);
      },
      letGo: () => {
        run.context.cutOff();
        run.cut.resolve(AGAIN);
        stuck();
      },
    });
  }

  /** What the code gets: the content for a payload, the rest beside it. */
  #toInner(message: WorkloadMessage, body: TurnBody, { attempt, deadline_at_ms }: Begun): WorkloadMessage {
    const { turn_id, from, principal, conversation, content, in_reply_to } = body;
    return {
      ...message, id: turn_id, attempt, redelivered: attempt > 1, payload: ENCODER.encode(JSON.stringify(content)),
      about: { turn_id, from, principal, conversation, attempt, deadline_at_ms, generation: this.#parts.generation, ...in_reply_to === undefined ? {} : { in_reply_to } },
    };
  }

  /** It is judged by how often it was running when its member crashed, not by its attempts (spec: node 4.14): others may have died with it. */
  async #crashed(turn: TurnBody, { run, outer, outcome: { fault, died } }: { run: Run; outer: DispatchContext; outcome: Outcome & { is: "failed" } }): Promise<Outcome> {
    run.crashed = true;
    if (died !== true) this.#parts.starved(fault);
    if (!this.#parks) await run.cut.promise;
    if (run.stop !== undefined) return this.#book.end(outer, { turn, kind: run.stop.kind, data: errorOf(run.stop.error) });
    // Another isle has taken its thread along.
    return fault.facts["cotenant"] === true ? AGAIN : { ...AGAIN, crashed: true };
  }

  #end(turn: TurnBody, { run, outer, outcome }: { run: Run; outer: DispatchContext; outcome: Outcome }): Outcome | Promise<Outcome> {
    run.span?.end(...endOf(run.stop, this.#closing.signal.aborted ? AGAIN : outcome));
    if (run.stop !== undefined) return this.#book.end(outer, { turn, kind: run.stop.kind, data: errorOf(run.stop.error) });
    if (this.#closing.signal.aborted) return AGAIN;
    switch (outcome.is) {
      case "done": return this.#book.done(outer, { turn, reply: outcome.reply, writes: run.context.writes });
      case "rejected": {
        const { code, text, keeps_writes } = outcome;
        const writes = keeps_writes ? run.context.writes : [];
        return this.#book.end(outer, { turn, kind: "turn_failed", data: { error: { code, text: text ?? code } }, writes });
      }
      case "park":
        this.#book.waits(turn, outcome.until, { leftMs: run.context.remainingMs(), inPlace: false });
        outer.expireAt?.(Infinity);
        return outcome;
      case "failed":
        if (outcome.died === true || outcome.fault.code === "isle.memory") return this.#crashed(turn, { run, outer, outcome });
        return outcome.fault.retry === "never" && !NOT_ITS_OWN.test(outcome.fault.code)
        ? this.#book.end(outer, { turn, kind: "turn_failed", data: errorOf(outcome.fault) }) : outcome;
      default: return outcome;
    }
  }
}

/** As its span tells it. */
function endOf(stop: TurnStop | undefined, outcome: Outcome): [outcome: string, code?: string] {
  if (stop !== undefined) return [stop.kind.slice("turn_".length), stop.error.code];
  switch (outcome.is) {
    case "rejected": return ["failed", outcome.code];
    case "failed": return ["failed", outcome.fault.code];
    case "park": return ["waiting"];
    default: return [outcome.is];
  }
}
