/**
 * Signaling, as long as the node lives (spec: node 5.6, 5.13; wire 9).
 *
 * takes questions, relayed messages and the load of the node; gives answers, presence and what was relayed; promises to
 * connect again without end, spread out, and to tell each gain and loss; refuses questions while it is not connected;
 * never closes a link to a peer: losing the realm degrades a node, no more.
 */
import { isFault, nodeError, sleep, withDeadline, type Clock, type Fault, type Log, type NodeId } from "@atoll-run/core";
import type { ActrRelay, Pong } from "@atoll-run/core/internal";
import type { Report } from "../hooks/report.ts";
import { realmStatus } from "../identity/realm-errors.ts";
import type { RealmDoor } from "../identity/realm-door.ts";
import type { SessionKeeper } from "../identity/session-keeper.ts";
import type { CredentialVerifier } from "../identity/session.ts";
import type { LimitsOf } from "../limits.ts";
import type { Load } from "../recovery/heartbeat.ts";
import { Connection, notConnected, type ConnectionHear, type Ended, type RelayPayload } from "./connection.ts";
import { Heart } from "./heart.ts";
import type { Ask, Told } from "./questions.ts";

export interface SignalingParts {
  readonly door: RealmDoor;
  readonly session: SessionKeeper;
  readonly verifier: Pick<CredentialVerifier, "realmKey">;
  readonly clock: Clock;
  readonly log: Log;
  readonly report: Report;
  /** 0 ≤ x < 1. */
  random(): number;
  bytes(count: number): Uint8Array;
}

/** Contract: none throws. */
export interface SignalingHearer {
  connected?(): void;
  disconnected?(): void;
  news?(told: Told): void;
  relay?(relay: ActrRelay): void;
  pong?(pong: Pong): void;
}

export interface SignalingClient extends AsyncDisposable {
  /** Connects and stays connected. Resolves with the first connection; throws the last failure when the signal aborts. */
  start(o: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  readonly up: boolean;
  /** Monotonic milliseconds since which it is down; undefined = it is up. */
  readonly downSinceMs: number | undefined;
  /** Throws `node.unavailable` at once while not connected, `node.overloaded` while the realm wants a longer pause. */
  ask(payload: Ask, o?: { readonly ms?: number; readonly signal?: AbortSignal | undefined }): Promise<Told>;
  relay(target: NodeId, payload: RelayPayload): boolean;
  hear(hearer: SignalingHearer): Disposable;
  /** Begins to ping. Resolves with the first answer: from then on the realm offers this node. */
  beat(load: () => Load): Promise<boolean>;
  /** Pings now; false when the realm did not answer. */
  ping(o?: { readonly ms?: number; readonly signal?: AbortSignal | undefined }): Promise<boolean>;
  /** Ends the connection and opens another one at once: the network has changed. */
  reconnect(reason: string): void;
  /** Ends it and tries nothing until the next {@link reconnect}. */
  pause(reason: string): void;
  stats(): { readonly up: boolean; readonly attempts: number; readonly losses: number; readonly dropped: number; readonly misses: number };
}

export function createSignaling(parts: SignalingParts, limits: LimitsOf<"signaling">): SignalingClient {
  return new Client(parts, limits);
}

class Client implements SignalingClient {
  readonly #parts: SignalingParts;
  readonly #limits: LimitsOf<"signaling">;
  readonly #hearers = new Set<SignalingHearer>();
  readonly #closing = new AbortController();
  readonly #heart: Heart;
  #running: Promise<void> | undefined;
  #first = Promise.withResolvers<void>();
  #connection: Connection | undefined;
  #down: number | undefined;
  /** Ends the present wait. */
  #wake: (() => void) | undefined;
  #paused = false;
  /** Until when the realm wants no questions, monotonic. */
  #silentUntilMs = 0;
  /** In a row. */
  #failures = 0;
  #attempts = 0;
  #losses = 0;
  #dropped = 0;
  #lastFault: unknown;

  constructor(parts: SignalingParts, limits: LimitsOf<"signaling">) {
    this.#parts = parts;
    this.#limits = limits;
    this.#heart = new Heart({
      clock: parts.clock, session: parts.session,
      ask: (payload, o) => this.ask(payload, o),
      pong: (pong) => this.#tell((hearer) => hearer.pong?.(pong)),
      dead: () => this.reconnect("the realm does not answer"),
    }, limits.heartbeatMs);
  }

  get up(): boolean {
    return this.#connection !== undefined && !this.#connection.ended;
  }

  get downSinceMs(): number | undefined {
    return this.#down;
  }

  async start(o: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    this.#running ??= this.#run();
    this.#first.promise.catch(() => undefined);
    try {
      await withDeadline(() => this.#first.promise, { clock: this.#parts.clock, ms: Infinity, signal: o.signal });
    } catch (error) {
      throw toStartFault(this.#lastFault ?? error);
    }
  }

  async ask(payload: Ask, o: { readonly ms?: number; readonly signal?: AbortSignal | undefined } = {}): Promise<Told> {
    if (this.#connection === undefined) throw notConnected();
    const ms = o.ms ?? this.#limits.replyMsMax;
    const waitMs = await this.#silence(ms, o.signal);
    const connection = this.#connection;
    if (connection === undefined) throw notConnected();
    try {
      return await connection.ask(payload, { ms: ms - waitMs, signal: o.signal });
    } catch (error) {
      if (realmStatus(error) === 401) this.#parts.session.refused();
      throw error;
    }
  }

  /** Waits while the realm wants no questions; gives how long, in milliseconds. */
  async #silence(budgetMs: number, signal: AbortSignal | undefined): Promise<number> {
    const { clock } = this.#parts;
    const waitMs = Math.ceil(this.#silentUntilMs - clock.monotonic());
    if (waitMs <= 0) return 0;
    if (waitMs >= budgetMs) {
      throw nodeError("node.overloaded", "the realm asked this node to pause", { retry_after_ms: waitMs });
    }
    const closing = this.#closing.signal;
    await sleep(waitMs, { clock, signal: signal === undefined ? closing : AbortSignal.any([signal, closing]) });
    return waitMs;
  }

  relay(target: NodeId, payload: RelayPayload): boolean {
    return this.#connection?.relay(target, payload) ?? false;
  }

  hear(hearer: SignalingHearer): Disposable {
    this.#hearers.add(hearer);
    return { [Symbol.dispose]: () => this.#hearers.delete(hearer) };
  }

  beat(load: () => Load): Promise<boolean> {
    return this.#heart.begin(load);
  }

  ping(o: { readonly ms?: number; readonly signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    return this.#heart.ping(o);
  }

  reconnect(reason: string): void {
    this.#paused = false;
    this.#failures = 0;
    this.#connection?.close(1_000, reason);
    this.#wake?.();
  }

  pause(reason: string): void {
    this.#paused = true;
    this.#connection?.close(1_000, reason);
  }

  stats(): ReturnType<SignalingClient["stats"]> {
    return {
      up: this.up, attempts: this.#attempts, losses: this.#losses, misses: this.#heart.misses,
      dropped: this.#dropped + (this.#connection?.dropped ?? 0),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(nodeError("node.cancelled", "the node closes"));
    this.#heart.stop();
    this.#connection?.close(1_000, "the node closes");
    this.#wake?.();
    await this.#running;
    this.#first.reject(this.#closing.signal.reason);
    this.#first.promise.catch(() => undefined);
    this.#hearers.clear();
  }

  /** Connects, stays until it is lost, waits, and so on. Never throws. */
  async #run(): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#down ??= clock.monotonic();
      const ended = Promise.withResolvers<Ended>();
      const opened = await this.#open(ended, this.#failures + 1);
      let waitMs = 0;
      if (opened instanceof Connection) {
        const began = clock.monotonic();
        const why = await ended.promise;
        this.#lost(opened, why);
        this.#failures = clock.monotonic() - began >= this.#limits.steadyMs ? 0 : this.#failures + 1;
      } else {
        this.#failures++;
        waitMs = opened.retry_after_ms;
      }
      await this.#wait(Math.max(waitMs, this.#backoff(this.#failures)));
    }
  }

  async #open(ended: PromiseWithResolvers<Ended>, attempt: number): Promise<Connection | { readonly retry_after_ms: number }> {
    const { session, report } = this.#parts;
    this.#attempts++;
    report("signaling_connecting", { attempt });
    try {
      const connection = await Connection.open(this.#parts, this.#hear(ended), {
        limits: this.#limits, features: session.realm.features, signal: this.#closing.signal,
      });
      if (connection.ended) return { retry_after_ms: 0 };
      this.#connection = connection;
      this.#down = undefined;
      report("signaling_connected", {});
      if (this.#losses > 0 || this.#failures > 0) this.#log("info", "signaling is back", { attempt });
      this.#first.resolve();
      this.#tell((hearer) => hearer.connected?.());
      this.#heart.connected();
      return connection;
    } catch (error) {
      if (this.#closing.signal.aborted) return { retry_after_ms: 0 };
      return this.#failed(error);
    }
  }

  #failed(error: unknown): { readonly retry_after_ms: number } {
    this.#lastFault = error;
    const fault: Fault = isFault(error) ? error : nodeError("node.internal", String(error), { cause: error });
    const status = realmStatus(error);
    const closed = (fault.facts as { readonly close_code?: unknown })["close_code"];
    if (status === 401 || closed === 4_401) this.#parts.session.refused();
    this.#parts.report("error", { error: fault, category: "signaling_failure", context: "connect" });
    // Once: it may fail each minute for days.
    if (this.#failures === 0) this.#log("warn", "signaling cannot be reached", { code: fault.code, reason: fault.message });
    return { retry_after_ms: Math.min(fault.retry_after_ms ?? 0, this.#limits.pauseMsMax) };
  }

  #lost(connection: Connection, { code, reason }: Ended): void {
    this.#dropped += connection.dropped;
    this.#connection = undefined;
    this.#losses++;
    this.#down = this.#parts.clock.monotonic();
    if (code === 4_401) this.#parts.session.refused();
    const isOrderly = code === 1_000 || this.#paused;
    if (!this.#closing.signal.aborted) this.#log(isOrderly ? "info" : "warn", "signaling is lost", { close_code: code, reason });
    this.#parts.report("signaling_disconnected", { reason: reason === "" ? `closed with ${code}` : reason });
    this.#tell((hearer) => hearer.disconnected?.());
    this.#heart.disconnected();
  }

  #hear(ended: PromiseWithResolvers<Ended>): ConnectionHear {
    return {
      news: (told) => {
        if (told.case === "pong") this.#heart.pong(told.value);
        else this.#tell((hearer) => hearer.news?.(told));
      },
      relay: (relay) => this.#tell((hearer) => hearer.relay?.(relay)),
      pause: (ms) => {
        this.#silentUntilMs = this.#parts.clock.monotonic() + Math.min(ms, this.#limits.pauseMsMax);
      },
      ended: (why) => ended.resolve(why),
    };
  }

  /** Full jitter: anything from nothing to the bound, which doubles. */
  #backoff(failures: number): number {
    const bound = Math.min(this.#limits.reconnectMs * 2 ** Math.max(0, failures - 1), this.#limits.reconnectMsMax);
    return Math.ceil(this.#parts.random() * bound);
  }

  /** Ends early when somebody asks to reconnect. */
  async #wait(ms: number): Promise<void> {
    const { clock } = this.#parts;
    while (!this.#closing.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = this.#paused ? undefined : clock.after(ms, resolve);
      await promise;
      timer?.[Symbol.dispose]();
      this.#wake = undefined;
      if (!this.#paused) return;
    }
  }

  #log(level: "info" | "warn", msg: string, fields: Readonly<Record<string, unknown>>): void {
    this.#parts.log.write({ level, target: "signaling", msg, fields });
  }

  #tell(tell: (hearer: SignalingHearer) => void): void {
    for (const hearer of this.#hearers) tell(hearer);
  }
}

function toStartFault(error: unknown): Fault {
  if (isFault(error) && error.code.startsWith("node.")) return error;
  const why = error instanceof Error ? error.message : String(error);
  return nodeError("node.unavailable", `signaling cannot be reached: ${why}`, {
    cause: error, hint: "Look whether the realm runs and can be reached from here.",
  });
}
