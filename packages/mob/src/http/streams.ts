/**
 * The ledger as server-sent events (spec: mob 5.8, 11.7).
 *
 * takes topics and a cursor; gives entries, gaps and live signals; promises each entry once and in order from the cursor on, or a
 * gap, by the rules that count when it is told, and a last word when it ends; refuses a cursor that is not of this history, and more streams than there may be, before
 * anything is sent; never holds what its reader does not take: one that is behind is served from the ledger at its own
 * pace, and one that takes nothing for a minute is let go.
 */
import type { ServerResponse } from "node:http";
import { isFault, onAbort, type Clock } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { readCursor } from "../ledger/cursor.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { Principal } from "./access.ts";
import { Broadcast } from "./broadcast.ts";
import { catchUp, type CatchUpParts } from "./catch-up.ts";
import { byeEvent, COMMENT, figuresEvent, KEEP_ALIVE_MS, liveEvent, RETRY } from "./events.ts";
import type { Figures } from "./metrics.ts";
import { Pipe } from "./pipe.ts";
import { Reading, type ReadingAsk } from "./reading.ts";
import type { Rights } from "./rights.ts";
import { RowPages } from "./row-pages.ts";

export interface StreamsParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly rights: Pick<Rights, "version">;
  /** How the mob is. */
  readonly figures: () => Figures;
  readonly limits: Pick<MobLimits, "sliceEntries" | "stalledMs" | "streamsMax" | "streamsPerPrincipalMax" | "tailEntries">;
}

export interface StreamAsk extends Pick<ReadingAsk, "who" | "hearing" | "signal"> {
  /** Default: what comes from now on. */
  readonly after?: string | undefined;
  /** All rows first, for whoever hears the roster. Default: when there is no `after`, since with it he has them. */
  readonly snapshot?: boolean | undefined;
}

const LAST_WORDS_MS = 500;
/** Why he is told nothing more. */
const REASONS: Readonly<Record<string, string>> = { "mob.denied": "denied", "mob.unauthenticated": "expired" };

export class Streams {
  readonly #parts: StreamsParts;
  readonly #broadcast: Broadcast;
  /** And its place. */
  readonly #open = new Map<ServerResponse, Reading>();
  readonly #of = new Map<string, number>();
  readonly #behind: CatchUpParts;
  #breath: Disposable | undefined;

  constructor(parts: StreamsParts) {
    this.#parts = parts;
    this.#behind = { ...parts, pages: new RowPages((seq) => parts.ledger.cursor(seq)) };
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
  async tell(response: ServerResponse, { who, after, snapshot = after === undefined, ...ask }: StreamAsk): Promise<void> {
    const { ledger } = this.#parts;
    const at = after === undefined ? ledger.head : readCursor(after, ledger);
    this.#check(who);
    using reading = new Reading(this.#parts, this.#broadcast, { ...ask, who, at, anew: snapshot });
    const pipe = new Pipe(response, this.#parts);
    this.#enter(response, who, reading);
    try {
      response.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no", connection: "close",
      });
      response.write(RETRY);
      await this.#serve(pipe, reading);
      await this.#lastWords(pipe, reading);
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
  async #serve(pipe: Pipe, reading: Reading): Promise<void> {
    const { signal } = reading;
    while (!signal.aborted) {
      reading.renew();
      await catchUp(this.#behind, pipe, reading);
      if (signal.aborted) return;
      if (await this.#tellMissed(pipe, reading)) continue;
      const { seat } = reading;
      const left = Promise.withResolvers<void>();
      using _ = onAbort(signal, () => left.resolve());
      const seated = reading.holds && seat.take({ left: left.resolve, hear: (chunk) => {
        if (pipe.waits || reading.over) return false;
        pipe.write(chunk);
        return true;
      } });
      if (!seated) continue;
      await left.promise;
      if (!signal.aborted) await pipe.drained(signal);
    }
  }

  /** What is not in the ledger: how much of it he has missed, and texts as far as they have come. False: there is nothing to tell. */
  async #tellMissed(pipe: Pipe, reading: Reading): Promise<boolean> {
    const { seat, hearing, signal } = reading;
    const { missed } = seat;
    const stale = hearing.figures && seat.stale;
    if (missed === 0 && !reading.joins && !stale) return false;
    [seat.missed, seat.stale, reading.joins] = [0, false, false];
    if (stale) pipe.write(figuresEvent(this.#parts.figures(), seat.at));
    if (missed > 0) pipe.write(liveEvent({ live: "live_dropped", after_seq: seat.at, data: { n: missed } }));
    for (const one of this.#parts.ledger.partials()) {
      if (!hearing.live(one)) continue;
      pipe.write(liveEvent(one));
      if (pipe.full) await pipe.drained(signal);
    }
    return true;
  }

  /** How it ended is told too, to whoever still listens. */
  async #lastWords(pipe: Pipe, reading: Reading): Promise<void> {
    if (reasonOf(reading.signal) === "closed") return;
    const late = new AbortController();
    using _ = this.#parts.clock.after(LAST_WORDS_MS, () => late.abort());
    await catchUp(this.#behind, pipe, reading, late.signal);
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
    this.#behind.pages.clear();
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
