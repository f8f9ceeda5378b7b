/**
 * What is written of turns (spec: mob 3.7, 5.2, 5.10): the entries of an incarnation, and the one commit that ends each.
 *
 * takes what has happened to a turn; gives the outcome that settles its message; promises that entry, output and what the turn has
 * recorded are one commit; refuses an output that is too large, as the failure of its turn; never runs anything.
 */
import { isFault, type Clock, type DispatchContext, type Fault, type Json, type Log, type Outcome, type WorkloadMessage, type Write } from "@atoll-run/core";
import type { Blobs } from "../blobs/blobs.ts";
import { toBlob, toRef } from "../blobs/ref.ts";
import { mobError } from "../errors.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import { dropOld, toStored } from "../ledger/stored.ts";
import type { MobLimits } from "../limits.ts";
import { recordWrite, signed, toBlocks } from "../sessions/record.ts";
import type { UntoldTokens } from "../sessions/tokens.ts";
import { errorOf, turnMoved, type Speaking } from "./turn-entries.ts";
import type { Turn, TurnBody } from "./turn.ts";

export interface BookParts {
  readonly ledger: Ledger;
  readonly blobs: Pick<Blobs, "put">;
  readonly log: Log;
  readonly clock: Clock;
  readonly limits: Pick<MobLimits, "contentBytesMax" | "blobBytesMax" | "outputInEntryBytesMax" | "previewBytes" | "retentionMs" | "recordBytesMax">;
  readonly session: string;
  readonly member: string;
  readonly generation: number;
  readonly turnOf: (turnId: string) => Turn | undefined;
  readonly writer: () => Writer | undefined;
  readonly untold: UntoldTokens;
  /** The store has refused what it writes: another has begun. */
  readonly stale: () => void;
}

export interface Begun {
  readonly attempt: number;
  readonly deadline_at_ms: number;
  /** For a decision: its message has no end of its own any more. */
  readonly has_waited: boolean;
}

export interface TurnEnd {
  readonly turn: TurnBody;
  readonly kind: "turn_done" | "turn_failed" | "turn_cancelled" | "turn_expired";
  readonly data: Record<string, Json>;
  /** What its code has recorded. */
  readonly writes?: readonly Write[];
  /** Of its output, for its session. */
  readonly spoken?: Write;
}

/** What its code has given. */
interface Given {
  readonly turn: TurnBody;
  readonly output: Json;
  readonly writes: readonly Write[];
}

const DONE: Outcome = { is: "done", reply: new Uint8Array(0) };
const TEXT = new TextDecoder();

export class TurnBook {
  readonly #parts: BookParts;

  constructor(parts: BookParts) {
    this.#parts = parts;
  }

  /** Its code has given an answer. */
  done(outer: DispatchContext, { turn, reply, writes }: { turn: TurnBody; reply: Uint8Array; writes: readonly Write[] }): Outcome | Promise<Outcome> {
    const { contentBytesMax, outputInEntryBytesMax, blobBytesMax } = this.#parts.limits;
    const { length: size } = reply;
    const limit = Math.max(contentBytesMax, blobBytesMax);
    if (size > limit) return this.#tooLarge(outer, turn, { size, limit });
    const given = { turn, output: outputOf(reply), writes };
    if (size <= outputInEntryBytesMax) return this.#sayDone(outer, given, { output: given.output });
    return size <= contentBytesMax ? this.#doneApart(outer, given) : this.#doneAsBlob(outer, given);
  }

  /** It is a blob before anything refers to it: a crash between the two leaves bytes that nobody asks for, and the turn runs again. */
  async #doneAsBlob(outer: DispatchContext, { turn, output: whole, writes }: Given): Promise<Outcome> {
    const { ledger, blobs, limits } = this.#parts;
    const { blobBytesMax: limit } = limits;
    const blob = toBlob(ledger.redact(whole));
    // What it is masked with may be longer.
    if (blob.bytes.length > limit) return this.#tooLarge(outer, turn, { size: blob.bytes.length, limit });
    const output = toRef(await blobs.put(blob));
    return this.#sayDone(outer, { turn, output, writes }, { output });
  }

  #tooLarge(outer: DispatchContext, turn: TurnBody, facts: { readonly size: number; readonly limit: number }): Outcome {
    return this.end(outer, { turn, kind: "turn_failed", data: errorOf(mobError("mob.too_large", `the output has ${facts.size} bytes, more than ${facts.limit}`, { facts })) });
  }

  #sayDone(outer: DispatchContext, { turn, output, writes }: Given, data: TurnEnd["data"]): Outcome | Promise<Outcome> {
    const spoken = this.#outputRecord(turn, output);
    const done = (record: Write): Outcome => this.end(outer, { turn, kind: "turn_done", data, writes, spoken: record });
    return spoken instanceof Promise ? spoken.then(done) : done(spoken);
  }

  /** The output is a document of the same commit. */
  async #doneApart(outer: DispatchContext, { turn, output, writes }: Given): Promise<Outcome> {
    const { ledger, limits, clock } = this.#parts;
    const { stored, write } = toStored(turn, JSON.stringify(ledger.redact(output)), limits.previewBytes);
    const old = await dropOld(ledger.store, outer.self, clock.now() - limits.retentionMs);
    return this.#sayDone(outer, { turn, output, writes: [...writes, write, ...old] }, { stored: { ...stored } });
  }

  /** One commit: the row goes, the entry comes, and what was recorded is done. */
  end(outer: DispatchContext, o: TurnEnd): Outcome {
    const { ledger, session, turnOf } = this.#parts;
    const used = turnOf(o.turn.turn_id)?.usage;
    const data = used === undefined ? o.data : { ...o.data, usage: { ...used } };
    this.#parts.untold.forget(o.turn.turn_id);
    let entry: Write;
    try {
      entry = ledger.toWrite({ ...turnMoved(o.kind, this.#speaking, { turn: o.turn, data }), ...o.spoken === undefined ? {} : { session: { id: session } } });
    } catch (error) {
      if (!isFault(error)) throw error;
      entry = ledger.toWrite(turnMoved("turn_failed", this.#speaking, { turn: o.turn, data: errorOf(error) }));
      outer.record([entry]);
      return DONE;
    }
    outer.record([...o.writes ?? [], ...o.spoken === undefined ? [] : [o.spoken], entry]);
    return DONE;
  }

  #outputRecord({ turn_id }: TurnBody, output: Json): Write | Promise<Write> {
    const { session, clock, untold, member, turnOf } = this.#parts;
    const blocks = signed(toBlocks(output), { origin: member, taint: turnOf(turn_id)?.taint });
    return recordWrite(session, { turn_id, role: "assistant", blocks, tokens: untold.take(turn_id), ts_ms: clock.now() }, this.#parts);
  }

  /**
   * Its code is called. The attempt is one more than the ledger knows; a turn that was parked goes on with its own. Who has waited for a decision goes on
   * with the time that was left.
   */
  began(turn: TurnBody): Begun {
    const known = this.#parts.turnOf(turn.turn_id);
    const resumed = known?.state === "waiting_approval" && known.in_place !== true;
    const attempt = Math.max(1, (known?.attempt ?? 0) + (resumed ? 0 : 1));
    const deadline_at_ms = known?.left_ms === undefined ? known?.deadline_at_ms ?? turn.deadline_at_ms : this.#parts.clock.now() + known.left_ms;
    const moved = known?.left_ms === undefined ? {} : { deadline_at_ms };
    this.#say(turnMoved(resumed ? "turn_resumed" : "turn_started", this.#speaking, { turn, data: { attempt, ...moved } }));
    return { attempt, deadline_at_ms, has_waited: known?.left_ms !== undefined };
  }

  /** It waits for that wake-up; `inPlace`: its code stays. */
  waits(turn: TurnBody, until: string, o: { readonly leftMs: number; readonly inPlace: boolean }): void {
    this.#say(turnMoved("turn_waiting", this.#speaking, { turn, data: { until, left_ms: Math.ceil(o.leftMs), ...o.inPlace ? { in_place: true } : {} } }));
  }

  /** What it has waited for where it is has come; gives the end of its time. */
  goesOn(turn: TurnBody, leftMs: number): number {
    const deadline_at_ms = Math.ceil(this.#parts.clock.now() + leftMs);
    const attempt = this.#parts.turnOf(turn.turn_id)?.attempt ?? 1;
    this.#say(turnMoved("turn_resumed", this.#speaking, { turn, data: { attempt, deadline_at_ms } }));
    return deadline_at_ms;
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
  buried({ id, payload }: WorkloadMessage, { reason, fault }: { readonly reason: string; readonly fault: Fault }): Write {
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
