/**
 * The ledger as server-sent events (spec: mob 5.8, 11.7).
 *
 * takes topics and a cursor; gives entries, gaps and live signals; promises each entry once and in order from the cursor on, or a
 * gap, by the rules that count when it is told, and a last word when it ends; refuses a cursor that is not of this history, and more streams than there may be, before
 * anything is sent; never holds what its reader does not take: one that is behind is served from the ledger at its own
 * pace, and one that takes nothing for a minute is let go.
 */
import type { ServerResponse } from "node:http";
import { isFault, onAbort, sleep, type Clock } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { readCursor } from "../ledger/cursor.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import { stranger, type Principal } from "./access.ts";
import { Broadcast, type Seat } from "./broadcast.ts";
import { byeEvent, COMMENT, entryEvent, gapEvent, KEEP_ALIVE_MS, liveEvent, RETRY } from "./events.ts";
import type { Hearing } from "./hearing.ts";
import type { Rights } from "./rights.ts";

export interface StreamsParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly rights: Pick<Rights, "version">;
  readonly limits: Pick<MobLimits, "stalledMs" | "streamsMax" | "streamsPerPrincipalMax">;
}

export interface StreamAsk {
  readonly who: Principal;
  /** As the rules are when it is asked. Throws `mob.denied` for who may hear nothing. */
  readonly hearing: () => Hearing;
  /** Default: what comes from now on. */
  readonly after?: string | undefined;
  /** The reader has gone, or the server ends. */
  readonly signal: AbortSignal;
}

const LAST_WORDS_MS = 500;
/** Why he is told nothing more. */
const REASONS: Readonly<Record<string, string>> = { "mob.denied": "denied", "mob.unauthenticated": "expired" };
/** What whoever catches up is given at once. */
const BUFFER_BYTES = 65_536;

/** Where one stream is, and what it is to hear. */
class Reading implements Disposable {
  readonly signal: AbortSignal;
  readonly #parts: Pick<StreamsParts, "rights" | "clock">;
  readonly #broadcast: Broadcast;
  readonly #who: Principal;
  readonly #ask: () => Hearing;
  #version: number;
  hearing: Hearing;
  seat: Seat;
  /** It has not been told of texts that have begun before. */
  joins = true;

  /** Throws `mob.denied`. */
  constructor(parts: Pick<StreamsParts, "rights" | "clock">, broadcast: Broadcast, { who, hearing, signal, at }: Omit<StreamAsk, "after"> & { readonly at: number }) {
    [this.#parts, this.#broadcast, this.#who, this.#ask, this.signal] = [parts, broadcast, who, hearing, signal];
    this.#version = parts.rights.version;
    this.hearing = hearing();
    this.seat = broadcast.join(this.hearing, at);
  }

  get at(): number {
    return this.seat.at;
  }

  /** False: other rules count by now, or he is a stranger again. */
  get holds(): boolean {
    return this.#version === this.#parts.rights.version && !this.over;
  }

  /** His time is over. */
  get over(): boolean {
    return this.#parts.clock.now() >= (this.#who.until_ms ?? Infinity);
  }

  /** From here on by the rules that count. Throws `mob.denied`, `mob.unauthenticated`. */
  renew(): void {
    if (this.holds) return;
    if (this.over) throw stranger("expired");
    this.#version = this.#parts.rights.version;
    const { seat: { at, missed } } = this;
    this.joins = true;
    this.seat[Symbol.dispose]();
    this.hearing = this.#ask();
    this.seat = this.#broadcast.join(this.hearing, at);
    this.seat.missed = missed;
  }

  [Symbol.dispose](): void {
    this.seat[Symbol.dispose]();
  }
}

export class Streams {
  readonly #parts: StreamsParts;
  readonly #broadcast: Broadcast;
  /** And its place. */
  readonly #open = new Map<ServerResponse, Reading>();
  readonly #of = new Map<string, number>();
  #breath: Disposable | undefined;

  constructor(parts: StreamsParts) {
    this.#parts = parts;
    this.#broadcast = new Broadcast(parts);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Entries that the last of them has still to read. */
  get lag(): number {
    const { head } = this.#parts.ledger;
    let lag = 0;
    for (const { at } of this.#open.values()) lag = Math.max(lag, head - at);
    return lag;
  }

  /** Resolves when it is over. Throws `mob.stale_cursor`, `mob.invalid_params`, `mob.denied`, `mob.overloaded`, before anything was sent. */
  async tell(response: ServerResponse, { who, after, ...ask }: StreamAsk): Promise<void> {
    const { ledger } = this.#parts;
    const at = after === undefined ? ledger.head : readCursor(after, ledger);
    this.#check(who);
    using reading = new Reading(this.#parts, this.#broadcast, { ...ask, who, at });
    this.#enter(response, who, reading);
    try {
      response.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no", connection: "close",
      });
      response.write(RETRY);
      await this.#serve(response, reading);
      await this.#lastWords(response, reading);
      response.end(byeEvent(reasonOf(ask.signal)));
    } catch (error) {
      const reason = isFault(error) ? REASONS[error.code] : undefined;
      if (reason !== undefined) response.end(byeEvent(reason));
      // A reader that stalls or has gone, or a store that is away.
      else response.destroy();
    } finally {
      this.#leave(response, who);
    }
  }

  /** Behind: from the ledger, as he takes it. At the head: from his seat, until a chunk is too much for him. */
  async #serve(response: ServerResponse, reading: Reading): Promise<void> {
    const { signal } = reading;
    while (!signal.aborted) {
      reading.renew();
      await this.#catchUp(response, reading);
      if (signal.aborted) return;
      if (await this.#tellMissed(response, reading)) continue;
      const { seat } = reading;
      const left = Promise.withResolvers<void>();
      using _ = onAbort(signal, () => left.resolve());
      const seated = reading.holds && seat.take({ left: left.resolve, hear: (chunk) => {
        if (response.writableNeedDrain || reading.over) return false;
        response.write(chunk);
        return true;
      } });
      if (!seated) continue;
      await left.promise;
      if (!signal.aborted) await this.#drained(response, signal);
    }
  }

  /** What is not in the ledger: how much of it he has missed, and texts as far as they have come. False: there is nothing to tell. */
  async #tellMissed(response: ServerResponse, reading: Reading): Promise<boolean> {
    const { seat, hearing, signal } = reading;
    const { missed } = seat;
    if (missed === 0 && !reading.joins) return false;
    [seat.missed, reading.joins] = [0, false];
    if (missed > 0) response.write(liveEvent({ live: "live_dropped", after_seq: seat.at, data: { n: missed } }));
    for (const one of this.#parts.ledger.partials()) {
      if (!hearing.live(one)) continue;
      response.write(liveEvent(one));
      if (response.writableLength > BUFFER_BYTES) await this.#drained(response, signal);
    }
    return true;
  }

  /** How it ended is told too, to whoever still listens. */
  async #lastWords(response: ServerResponse, reading: Reading): Promise<void> {
    if (reasonOf(reading.signal) === "closed") return;
    const late = new AbortController();
    using _ = this.#parts.clock.after(LAST_WORDS_MS, () => late.abort());
    await this.#catchUp(response, reading, late.signal);
  }

  /** To the head, unless the rules change on the way. */
  async #catchUp(response: ServerResponse, reading: Reading, signal: AbortSignal = reading.signal): Promise<void> {
    while (!signal.aborted && reading.holds && reading.at < this.#parts.ledger.head) {
      await this.#read(response, reading, signal);
      // While he takes nothing, nothing of the ledger is held for him.
      await this.#drained(response, signal);
    }
  }

  /** From his place on, as much as he takes at once. */
  async #read(response: ServerResponse, reading: Reading, signal: AbortSignal): Promise<void> {
    const { ledger } = this.#parts;
    const { seat, hearing } = reading;
    for await (const one of ledger.subscribe({}, { after: seat.at, signal })) {
      if (!reading.holds) return;
      // Whoever is behind is told how many he has missed.
      if ("live" in one) continue;
      if ("gap" in one) {
        seat.at = one.gap.to;
        response.write(Buffer.from(gapEvent(one, ledger)));
      } else {
        seat.at = one.seq;
        if (hearing.entry(one)) response.write(Buffer.from(entryEvent(one, ledger)));
      }
      if (response.writableLength > BUFFER_BYTES || seat.at >= ledger.head) return;
    }
  }

  /** Throws when the socket takes nothing for too long, or the stream is over. */
  async #drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
    if (!response.writableNeedDrain) return;
    const free = new AbortController();
    const end = (): void => free.abort();
    response.once("drain", end);
    try {
      await sleep(this.#parts.limits.stalledMs, { clock: this.#parts.clock, signal: AbortSignal.any([signal, free.signal]) });
    } catch {
      if (free.signal.aborted) return;
      throw signal.reason;
    } finally {
      response.off("drain", end);
    }
    // Where this process was held up itself, the socket has its turn first.
    await new Promise((resolve) => void setImmediate(resolve));
    if (response.writableNeedDrain) throw new Error("slow_consumer");
  }

  #check({ id, local }: Principal): void {
    const { streamsMax, streamsPerPrincipalMax } = this.#parts.limits;
    const own = this.#of.get(id) ?? 0;
    if (this.size >= streamsMax || !local && own >= streamsPerPrincipalMax) {
      throw mobError("mob.overloaded", "too many streams are open", {
        facts: { limit: this.size >= streamsMax ? streamsMax : streamsPerPrincipalMax }, retry_after_ms: 1_000,
      });
    }
  }

  #enter(response: ServerResponse, { id }: Principal, reading: Reading): void {
    this.#of.set(id, (this.#of.get(id) ?? 0) + 1);
    this.#open.set(response, reading);
    this.#breathe();
  }

  #leave(response: ServerResponse, { id }: Principal): void {
    this.#open.delete(response);
    const left = (this.#of.get(id) ?? 1) - 1;
    if (left === 0) this.#of.delete(id);
    else this.#of.set(id, left);
    if (this.size > 0) return;
    this.#breath?.[Symbol.dispose]();
    this.#breath = undefined;
  }

  #breathe(): void {
    this.#breath ??= this.#parts.clock.after(KEEP_ALIVE_MS, () => {
      this.#breath = undefined;
      this.#broadcast.look();
      for (const { holds, seat } of this.#open.values()) if (!holds) seat.free();
      for (const response of this.#open.keys()) if (response.headersSent && !response.writableNeedDrain) response.write(COMMENT);
      this.#breathe();
    });
  }
}

function reasonOf({ reason }: AbortSignal): string {
  return typeof reason === "string" ? reason : "closed";
}
