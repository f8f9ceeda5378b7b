/**
 * Changes of the network and of the program's life, as they come (spec: node 5.9, 5.10).
 *
 * takes events from outside and from its own look at the machine; gives each reporter the result of its window; promises
 * one action for all events of a window and that the barrier falls again; refuses when too many wait; never decides what
 * an action does.
 */
import { isFault, nodeError, withDeadline, type Clock, type Fault, type Log } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import { NETWORK_QUIET, stepNetwork, type NetworkAction, type NetworkEvent, type NetworkState } from "./network-machine.ts";

export interface NetworkInputParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Does what the events mean. The signal aborts after 5 s. */
  perform(action: NetworkAction, o: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * What the machine is connected to, as one text that changes when it does; empty = to nothing but itself. Without it
   * only others tell.
   */
  readonly interfaces?: () => string;
}

export interface NetworkResult {
  readonly action: NetworkAction;
  /** Undefined: it was done. */
  readonly fault?: Fault;
}

/** What a host program may tell: `NodeHandle.network`. */
export interface NetworkInput {
  /** Resolves when the action of its window was done or given up, within 5 s of the window's end. */
  report(event: NetworkEvent): Promise<NetworkResult>;
}

export interface NetworkWatch extends NetworkInput, AsyncDisposable {
  /** Begins to look at the machine. */
  start(): void;
  /** Whether sends have to wait, and until when they may. */
  readonly barrier: Promise<void> | undefined;
  stats(): { readonly windows: number; readonly events: number; readonly barriers: number };
}

export function createNetworkWatch(parts: NetworkInputParts, limits: LimitsOf<"recovery">): NetworkWatch {
  return new Watch(parts, limits);
}

class Watch implements NetworkWatch {
  readonly #parts: NetworkInputParts;
  readonly #limits: LimitsOf<"recovery">;
  readonly #closing = new AbortController();
  #state: NetworkState = NETWORK_QUIET;
  #callers: ((result: NetworkResult) => void)[] = [];
  #window: Disposable | undefined;
  #looking: Disposable | undefined;
  #performing: Promise<void> = Promise.resolve();
  #lifted: PromiseWithResolvers<void> | undefined;
  #seen: string | undefined;
  /** Of our own snapshots; those of others may be ahead. */
  #sequence = 0;
  #windows = 0;
  #events = 0;
  #barriers = 0;

  constructor(parts: NetworkInputParts, limits: LimitsOf<"recovery">) {
    this.#parts = parts;
    this.#limits = limits;
  }

  get barrier(): Promise<void> | undefined {
    return this.#lifted?.promise;
  }

  report(event: NetworkEvent): Promise<NetworkResult> {
    if (this.#closing.signal.aborted) return Promise.reject(nodeError("node.wrong_state", "the node is closed"));
    if (this.#callers.length >= this.#limits.callersMax) {
      return Promise.reject(nodeError("node.overloaded", "too many network events at one time", { retry_after_ms: this.#limits.settleMs }));
    }
    return new Promise((resolve) => {
      this.#callers.push(resolve);
      this.#hear(event);
    });
  }

  start(): void {
    this.#seen = this.#parts.interfaces?.();
    this.#lookLater();
  }

  stats(): ReturnType<NetworkWatch["stats"]> {
    return { windows: this.#windows, events: this.#events, barriers: this.#barriers };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(nodeError("node.cancelled", "the node closes"));
    this.#looking?.[Symbol.dispose]();
    this.#window?.[Symbol.dispose]();
    const fault = nodeError("node.cancelled", "the node closes");
    for (const tell of this.#callers.splice(0)) tell({ action: "noop", fault });
    await this.#performing;
    this.#lift();
  }

  #hear(event: NetworkEvent): void {
    const { clock } = this.#parts;
    this.#events++;
    const { state, barrier } = stepNetwork(this.#state, event, clock.monotonic(), this.#limits);
    const opened = this.#state.until_ms === undefined;
    this.#state = state;
    if (barrier && this.#lifted === undefined) {
      this.#barriers++;
      this.#lifted = Promise.withResolvers();
    }
    if (opened) this.#window = clock.after(this.#limits.settleMs, () => this.#settle());
  }

  #settle(): void {
    const { state, action } = stepNetwork(this.#state, { is: "tick" }, this.#parts.clock.monotonic(), this.#limits);
    this.#state = state;
    this.#window = undefined;
    if (action === undefined) return;
    this.#windows++;
    const callers = this.#callers.splice(0);
    // One action after the other: the next one builds on what this one did.
    this.#performing = this.#performing.then(async () => {
      const result = await this.#perform(action);
      if (this.#state.until_ms === undefined || !this.#state.barrier) this.#lift();
      for (const tell of callers) tell(result);
    });
  }

  /** Never throws. */
  async #perform(action: NetworkAction): Promise<NetworkResult> {
    const { clock, log } = this.#parts;
    if (action === "noop") return { action };
    log.write({ level: "info", target: "network", msg: `the network changed: ${action}` });
    try {
      await withDeadline((signal) => this.#parts.perform(action, { signal }), {
        clock, ms: this.#limits.resultMsMax, signal: this.#closing.signal, what: `the action ${action}`,
      });
      return { action };
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return { action, fault: isFault(error) ? error : nodeError("node.internal", text, { cause: error }) };
    }
  }

  #lift(): void {
    this.#lifted?.resolve();
    this.#lifted = undefined;
  }

  #lookLater(): void {
    if (this.#closing.signal.aborted) return;
    const { clock } = this.#parts;
    const due = clock.monotonic() + this.#limits.interfacesMs;
    const wallDue = clock.now() + this.#limits.interfacesMs;
    this.#looking = clock.after(this.#limits.interfacesMs, () => {
      // Some machines stop the monotonic clock while they sleep, the wall clock goes on.
      const lateMs = Math.max(clock.monotonic() - due, clock.now() - wallDue);
      this.#look(lateMs);
      this.#lookLater();
    });
  }

  #look(lateMs: number): void {
    if (lateMs > this.#limits.longBackgroundMs) this.#hear({ is: "foreground", after_ms: lateMs });
    const now = this.#parts.interfaces?.();
    if (now === this.#seen || now === undefined) return;
    this.#seen = now;
    this.#sequence = Math.max(this.#sequence, this.#state.sequence === -Infinity ? 0 : this.#state.sequence) + 1;
    this.#hear({ is: "path", sequence: this.#sequence, status: now === "" ? "unavailable" : "available" });
  }
}
