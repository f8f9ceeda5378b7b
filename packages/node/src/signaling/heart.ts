/** The heartbeat of a node: its load to the realm, what the realm says in return (spec: node 5.6). */
import { isFault, type Clock } from "@atoll-run/core";
import { Availability, isFieldSet, PongSchema, type Pong } from "@atoll-run/core/internal";
import { realmStatus } from "../identity/realm-errors.ts";
import type { SessionKeeper } from "../identity/session-keeper.ts";
import {
  HEARTBEAT_MISSES_MAX, heartbeatInterval, heartbeatTimeout, toHeartbeat, type Heartbeat, type Load,
} from "../recovery/heartbeat.ts";
import type { Ask, Told } from "./questions.ts";

export interface HeartParts {
  readonly clock: Clock;
  readonly session: Pick<SessionKeeper, "realm" | "warned" | "again" | "onRenewed">;
  ask(payload: Ask, o: { readonly ms: number; readonly signal?: AbortSignal | undefined }): Promise<Told>;
  pong(pong: Pong): void;
  /** So many pings in a row had no answer. */
  dead(): void;
}

/** What became of a ping. */
interface Asked {
  readonly answered: boolean;
  /** The realm did not take it, and wants it again after so long. */
  readonly again_ms?: number | undefined;
}

/** Of whatever a realm asks for. */
const AGAIN_MS_MIN = 1_000;

const LEVELS: Readonly<Record<Heartbeat["availability"], Availability>> = {
  full: Availability.FULL, degraded: Availability.DEGRADED,
  overloaded: Availability.OVERLOADED, unavailable: Availability.UNAVAILABLE,
};

export class Heart {
  readonly #parts: HeartParts;
  readonly #everyMs: number;
  readonly #renewed: Disposable;
  #load: (() => Load) | undefined;
  #suggested: number | undefined;
  #timer: Disposable | undefined;
  #connected = false;
  #stopped = false;
  #misses = 0;

  /** `everyMs`: between two pings; 0 = as the realm wants it. */
  constructor(parts: HeartParts, everyMs: number) {
    this.#parts = parts;
    this.#everyMs = everyMs;
    // The next message shows the new credential: let it be now.
    this.#renewed = parts.session.onRenewed(() => void this.#now());
  }

  get misses(): number {
    return this.#misses;
  }

  get #intervalMs(): number {
    return this.#everyMs > 0 ? this.#everyMs : heartbeatInterval(this.#parts.session.realm.heartbeat_secs, this.#suggested);
  }

  /** Resolves with the first answer: from then on the realm offers this node. */
  begin(load: () => Load): Promise<boolean> {
    this.#load = load;
    return this.#now();
  }

  connected(): void {
    this.#connected = true;
    this.#misses = 0;
    void this.#now();
  }

  disconnected(): void {
    this.#connected = false;
    this.#timer?.[Symbol.dispose]();
  }

  stop(): void {
    this.#stopped = true;
    this.disconnected();
    this.#renewed[Symbol.dispose]();
  }

  /** One ping besides the others: the state has changed, or somebody wants to know. Never throws. */
  async ping(o: { readonly ms?: number; readonly signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    return (await this.#ask(o)).answered;
  }

  async #ask(o: { readonly ms?: number; readonly signal?: AbortSignal | undefined }): Promise<Asked> {
    if (!this.#connected || this.#load === undefined) return { answered: false };
    const { availability, power_reserve: powerReserve, mailbox_backlog: mailboxBacklog } = toHeartbeat(this.#load());
    const ms = o.ms ?? heartbeatTimeout(this.#intervalMs);
    try {
      const value = { availability: LEVELS[availability], powerReserve, mailboxBacklog };
      const told = await this.#parts.ask({ case: "ping", value }, { ms, signal: o.signal });
      if (told.case !== "pong") return { answered: false };
      this.pong(told.value);
      return { answered: true };
    } catch (error) {
      // The realm has forgotten us: it was restored from an older state, or dropped us after a long silence.
      if (realmStatus(error) === 404) this.#parts.session.again();
      // It lives, and wants to be left alone for a while.
      if (isFault(error) && error.code === "node.overloaded") return { answered: true, again_ms: error.retry_after_ms };
      return { answered: realmStatus(error) !== undefined };
    }
  }

  /** Also one that nobody asked for: it brings revocations at once. */
  pong(pong: Pong): void {
    if (isFieldSet(pong, PongSchema.field.suggestIntervalSecs)) this.#suggested = pong.suggestIntervalSecs;
    if (pong.credentialWarning !== undefined) this.#parts.session.warned();
    this.#parts.pong(pong);
  }

  /** Never throws: whoever waits for it is told by its answer. */
  async #now(): Promise<boolean> {
    this.#timer?.[Symbol.dispose]();
    if (!this.#connected || this.#stopped || this.#load === undefined) return false;
    const { clock } = this.#parts;
    const began = clock.monotonic();
    const { answered, again_ms } = await this.#ask({});
    if (!this.#connected || this.#stopped) return answered;
    // Only now: the answer may ask for another interval.
    this.#timer?.[Symbol.dispose]();
    // A node whose ping was not taken is not offered: it does not wait for its next turn.
    const turnMs = Math.max(0, this.#intervalMs - (clock.monotonic() - began));
    this.#timer = clock.after(Math.min(turnMs, Math.max(again_ms ?? Infinity, AGAIN_MS_MIN)), () => void this.#now());
    this.#misses = answered ? 0 : this.#misses + 1;
    if (this.#misses >= HEARTBEAT_MISSES_MAX) {
      this.#misses = 0;
      this.#parts.dead();
    }
    return answered;
  }
}
