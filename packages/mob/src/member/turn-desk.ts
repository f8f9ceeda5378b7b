/**
 * Turns as a node's workload (spec: mob 3.7 to 3.9, 5.10): between the mailbox of a member and its code.
 *
 * takes messages of route `turn`; gives them to the code once it has begun; promises that the end of a turn and its entry
 * are one commit, whoever ends it; refuses nothing: what comes before the code waits; never settles a turn that the code has
 * not ended, but by {@link TurnDesk.cut}.
 */
import {
  isFault, onAbort, type Clock, type DispatchContext, type Fault, type Json, type Log, type Outcome, type Workload, type WorkloadHost, type WorkloadMessage, type Write,
} from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import { dropOld, toStored } from "../ledger/stored.ts";
import type { MobLimits } from "../limits.ts";
import { recordWrite, toBlocks } from "../sessions/record.ts";
import { errorOf, turnMoved, type Speaking } from "./turn-entries.ts";
import { TurnContext } from "./turn-context.ts";
import type { Turn, TurnBody } from "./turn.ts";

export const TURN_ROUTE = "turn";

/** What ends a turn from outside. */
export interface TurnStop {
  readonly kind: "turn_cancelled" | "turn_failed" | "turn_expired";
  readonly error: MobError;
}

export interface DeskParts {
  readonly ledger: Ledger;
  readonly log: Log;
  readonly clock: Clock;
  readonly limits: Pick<MobLimits, "contentBytesMax" | "outputInEntryBytesMax" | "previewBytes" | "retentionMs" | "recordBytesMax">;
  readonly session: string;
  readonly member: string;
  readonly generation: number;
  readonly conversations: number;
  readonly turnOf: (turnId: string) => Turn | undefined;
  readonly writer: () => Writer | undefined;
  /** The store has refused what it writes: another has begun. */
  readonly stale: () => void;
  closeInner(signal: AbortSignal): Promise<void>;
}

interface Begun {
  readonly attempt: number;
  readonly deadline_at_ms: number;
}

interface Run {
  readonly context: TurnContext;
  readonly cut: PromiseWithResolvers<Outcome>;
  /** Resolves when it has its outcome. */
  readonly over: PromiseWithResolvers<void>;
  stop: TurnStop | undefined;
}

/** How long code that is told to stop at its deadline may take for it. */
const STOP_MS = 5_000;
const AGAIN: Outcome = { is: "again", after_ms: 0 };
const NOTHING: Disposable = { [Symbol.dispose]: () => undefined };
const DONE: Outcome = { is: "done", reply: new Uint8Array(0) };
const TEXT = new TextDecoder();
/** Faults of what the code runs in: it has died or was stopped, and the turn runs again. All others are the code's word. */
const NOT_ITS_OWN = /^(node|isle|run|script)\.|^bus\.(closed|overloaded|no_handler)$/;

export class TurnDesk {
  readonly workload: Workload;
  readonly #parts: DeskParts;
  readonly #runs = new Map<string, Run>();
  readonly #begun = Promise.withResolvers<Workload>();
  readonly #closing = new AbortController();
  #host: WorkloadHost | undefined;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    // The time that code holds the loop is looked at once for the mob, not for each member: no `linked` here.
    this.workload = {
      kind: "block", concurrency: parts.conversations,
      route: (route) => (route === TURN_ROUTE ? { policy: { senderKeys: true, handlerLimitMs: Infinity } } : undefined),
      start: async (host) => {
        this.#host = host;
      },
      dispatch: (message, context) => this.#dispatch(message, context),
      buried: (message, why) => [this.#buried(message, why)],
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

  /** Tells a running turn to stop; resolves when its code has. Undefined: it does not run. */
  stop(turnId: string, stop: TurnStop): Promise<void> | undefined {
    const run = this.#runs.get(turnId);
    if (run === undefined) return undefined;
    run.stop ??= stop;
    run.context.stop(stop.error);
    return run.over.promise;
  }

  /** Ends it without its code, which was told to stop. */
  cut(turnId: string): void {
    this.#runs.get(turnId)?.cut.resolve(AGAIN);
  }

  /** Ends all that run as failed. Resolves when they are handed to the node. */
  async cutAll(why: MobError): Promise<void> {
    const all = [...this.#runs];
    for (const [turnId] of all) {
      void this.stop(turnId, { kind: "turn_failed", error: why });
      this.cut(turnId);
    }
    await Promise.all(all.map(([, { over }]) => over.promise));
  }

  /** Tells all code to stop; what it gives does not count. */
  shut(): void {
    this.#closing.abort(mobError("mob.interrupted", "the member is being stopped"));
    for (const run of this.#runs.values()) {
      run.context.stop(this.#closing.signal.reason);
      run.cut.resolve(AGAIN);
    }
  }

  async #dispatch(message: WorkloadMessage, outer: DispatchContext): Promise<Outcome> {
    const body = JSON.parse(TEXT.decode(message.payload)) as TurnBody;
    const run: Run = { context: new TurnContext(outer, () => this.#parts.clock.now()), cut: Promise.withResolvers(), over: Promise.withResolvers(), stop: undefined };
    this.#runs.set(body.turn_id, run);
    using _ = onAbort(outer.signal, () => run.cut.resolve(AGAIN));
    try {
      const inner = await Promise.race([this.#begun.promise, run.cut.promise]);
      if ("is" in inner) return await this.#end(body, { run, outer, outcome: inner });
      const begun = this.#sayStarted(body);
      using _timer = this.#bound(run, { outer, deadlineAtMs: begun.deadline_at_ms });
      const given = inner.dispatch(this.#toInner(message, body, begun), run.context);
      return await this.#end(body, { run, outer, outcome: await Promise.race([given, run.cut.promise]) });
    } finally {
      run.context.end();
      this.#runs.delete(body.turn_id);
      run.over.resolve();
    }
  }

  /** What the code gets: the content for a payload, the rest beside it. */
  #toInner(message: WorkloadMessage, body: TurnBody, { attempt, deadline_at_ms }: Begun): WorkloadMessage {
    const { turn_id, from, principal, conversation, content } = body;
    return {
      ...message, id: turn_id, attempt, redelivered: attempt > 1, payload: new TextEncoder().encode(JSON.stringify(content)),
      about: { turn_id, from, principal, conversation, attempt, deadline_at_ms, generation: this.#parts.generation },
    };
  }

  /** A turn that has waited for an approval: its message has no end any more, since that time does not count. */
  #bound(run: Run, { outer, deadlineAtMs }: { readonly outer: DispatchContext; readonly deadlineAtMs: number }): Disposable {
    const { clock } = this.#parts;
    if (outer.deadlineAtMs !== Infinity) return NOTHING;
    run.context.deadlineAtMs = deadlineAtMs;
    let timer = clock.after(Math.max(0, deadlineAtMs - clock.now()), () => {
      run.stop ??= { kind: "turn_expired", error: mobError("mob.deadline", "the time of the turn is over") };
      run.context.stop(run.stop.error);
      timer = clock.after(STOP_MS, () => run.cut.resolve(AGAIN));
    });
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  #end(turn: TurnBody, { run, outer, outcome }: { run: Run; outer: DispatchContext; outcome: Outcome }): Outcome | Promise<Outcome> {
    if (run.stop !== undefined) return this.#over(outer, { turn, kind: run.stop.kind, data: errorOf(run.stop.error) });
    if (this.#closing.signal.aborted) return AGAIN;
    switch (outcome.is) {
      case "done": return this.#done(outer, { turn, reply: outcome.reply, writes: run.context.writes });
      case "rejected": {
        const { code, text, keeps_writes } = outcome;
        const writes = keeps_writes ? run.context.writes : [];
        return this.#over(outer, { turn, kind: "turn_failed", data: { error: { code, text: text ?? code } }, writes });
      }
      case "park":
        this.#say(turnMoved("turn_waiting", this.#speaking, { turn, data: { until: outcome.until, left_ms: Math.ceil(run.context.remainingMs()) } }));
        outer.expireAt?.(Infinity);
        return outcome;
      case "failed": return outcome.fault.retry === "never" && !NOT_ITS_OWN.test(outcome.fault.code)
        ? this.#over(outer, { turn, kind: "turn_failed", data: errorOf(outcome.fault) }) : outcome;
      default: return outcome;
    }
  }

  #done(outer: DispatchContext, { turn, reply, writes }: { turn: TurnBody; reply: Uint8Array; writes: readonly Write[] }): Outcome | Promise<Outcome> {
    const { contentBytesMax, outputInEntryBytesMax } = this.#parts.limits;
    if (reply.length <= outputInEntryBytesMax) {
      const output = outputOf(reply);
      return this.#over(outer, { turn, kind: "turn_done", data: { output }, writes, output });
    }
    if (reply.length <= contentBytesMax) return this.#doneApart(outer, { turn, output: outputOf(reply), writes });
    const size = reply.length;
    const fault = mobError("mob.too_large", `the output has ${size} bytes, more than ${contentBytesMax}`, { facts: { size, limit: contentBytesMax } });
    return this.#over(outer, { turn, kind: "turn_failed", data: errorOf(fault) });
  }

  /** The output is a document of the same commit. */
  async #doneApart(outer: DispatchContext, { turn, output, writes }: { turn: TurnBody; output: Json; writes: readonly Write[] }): Promise<Outcome> {
    const { ledger, limits, clock } = this.#parts;
    const { stored, write } = toStored(turn, JSON.stringify(ledger.redact(output)), limits.previewBytes);
    const old = await dropOld(ledger.store, outer.self, clock.now() - limits.retentionMs);
    return this.#over(outer, { turn, kind: "turn_done", data: { stored: { ...stored } }, writes: [...writes, write, ...old], output });
  }

  /** One commit: the row goes, the entry comes, and what was recorded is done. */
  #over(outer: DispatchContext, o: {
    readonly turn: TurnBody; readonly kind: "turn_done" | TurnStop["kind"]; readonly data: Record<string, Json>; readonly writes?: readonly Write[];
    readonly output?: Json;
  }): Outcome {
    const { ledger, session } = this.#parts;
    let entry: Write;
    try {
      entry = ledger.toWrite({ ...turnMoved(o.kind, this.#speaking, o), ...o.output === undefined ? {} : { session: { id: session } } });
    } catch (error) {
      if (!isFault(error)) throw error;
      entry = ledger.toWrite(turnMoved("turn_failed", this.#speaking, { turn: o.turn, data: errorOf(error) }));
      outer.record([entry]);
      return DONE;
    }
    outer.record([...o.writes ?? [], ...o.output === undefined ? [] : [this.#outputRecord(o.turn, o.output)], entry]);
    return DONE;
  }

  #outputRecord({ turn_id }: TurnBody, output: Json): Write {
    const { session, limits, clock } = this.#parts;
    return recordWrite(session, { turn_id, role: "assistant", blocks: toBlocks(output), tokens: 0, ts_ms: clock.now() }, limits.recordBytesMax);
  }

  /** The attempt is one more than the ledger knows; a turn that was parked goes on with its own, and with the time that was left to it. */
  #sayStarted(turn: TurnBody): Begun {
    const known = this.#parts.turnOf(turn.turn_id);
    const resumed = known?.state === "waiting_approval";
    const attempt = Math.max(1, (known?.attempt ?? 0) + (resumed ? 0 : 1));
    const deadline_at_ms = known?.left_ms === undefined ? known?.deadline_at_ms ?? turn.deadline_at_ms : this.#parts.clock.now() + known.left_ms;
    if (resumed) this.#say(turnMoved("turn_resumed", this.#speaking, { turn, data: { attempt, deadline_at_ms } }));
    else this.#say(turnMoved("turn_started", this.#speaking, { turn, data: { attempt } }));
    return { attempt, deadline_at_ms };
  }

  /** Handed to the store at once, so that it stands before what the turn writes later. */
  #say(entry: Parameters<Ledger["append"]>[1][number]): void {
    const { ledger, log, writer, member, stale } = this.#parts;
    const by = writer();
    if (by === undefined) return;
    ledger.append(by, [entry]).catch((error: unknown) => {
      if (isFault(error) && error.code === "mob.stale_fence") return stale();
      log.write({ level: "warn", target: "member", msg: "an entry was not written", fields: { member, kind: entry.kind, reason: String(error) } });
    });
  }

  /** The node has given the message up: too many failures or crashes, or too late. */
  #buried({ id, payload }: WorkloadMessage, { reason, fault }: { readonly reason: string; readonly fault: Fault }): Write {
    const [turn_id = id] = id.split("#");
    const { run } = payload.length === 0 ? {} as TurnBody : JSON.parse(TEXT.decode(payload)) as TurnBody;
    const turn = { turn_id, ...run === undefined ? {} : { run } };
    return this.#parts.ledger.toWrite(turnMoved(reason === "expired" ? "turn_expired" : "turn_dead", this.#speaking, {
      turn, data: { reason, ...errorOf(fault) },
    }));
  }

  get #speaking(): Speaking {
    const { member, generation, writer } = this.#parts;
    const by = writer();
    return { member, generation, ...by === undefined ? {} : { fence: by.epoch } };
  }
}

function outputOf(reply: Uint8Array): Json {
  return reply.length === 0 ? null : JSON.parse(TEXT.decode(reply)) as Json;
}
