/**
 * Sends that wait for a link or for room, lane by lane (spec: node 6.6).
 * takes sends; gives them signals first, the other lanes in turn, each lane in its order, what comes again
 * in its old place; promises that each ends by its deadline; refuses at once only when too many wait; never holds one that has ended.
 */
import { nodeError, onAbort, type Clock, type Lane, type Link, type NodeError } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { Body, SendOptions } from "./peers.ts";

export interface Send {
  readonly lane: Lane;
  readonly body: Body;
  readonly done: (link: Link) => void;
  readonly fail: (reason: unknown) => void;
}

interface Held extends Send {
  readonly bytes: number;
  /** What is behind the bound of its lane ends as overloaded, not as unconnected. */
  readonly beyond: boolean;
  readonly place: number | undefined;
  release(): void;
}

type WaitingLimits = Pick<LimitsOf<"transport">, "laneMessagesMax" | "laneBytesMax" | "laneSendersMax" | "unknownBodyBytes">;

interface LaneLine {
  /** In the order in which they go. */
  readonly held: Set<Held>;
  /** The highest place that has waited here. */
  placeMax: number;
  bytes: number;
}

/** `rpc_signal` is always looked at first. */
const IN_TURN: readonly Lane[] = ["rpc_reliable", "stream_reliable", "stream_latency_first", "media_rtp"];
/** Somebody who is told that it was too much may come again after this, milliseconds. */
const RETRY_AFTER_MS = 500;

export class Waiting {
  readonly #clock: Clock;
  readonly #limits: WaitingLimits;
  /** Whether there is a link: then who runs out of time is told that the peer is slow. */
  readonly #linked: () => boolean;
  readonly #lines = new Map<Lane, LaneLine>();
  #size = 0;
  #turn = 0;

  constructor(clock: Clock, limits: WaitingLimits, linked: () => boolean) {
    this.#clock = clock;
    this.#limits = limits;
    this.#linked = linked;
  }

  get size(): number {
    return this.#size;
  }

  /** Settles through `send.done` or `send.fail`. */
  add(send: Send, o: SendOptions): void {
    if (o.signal?.aborted) {
      send.fail(o.signal.reason);
      return;
    }
    const line = this.#lines.get(send.lane) ?? { held: new Set(), placeMax: -1, bytes: 0 };
    this.#lines.set(send.lane, line);
    const { laneMessagesMax, laneBytesMax, laneSendersMax, unknownBodyBytes } = this.#limits;
    if (line.held.size >= laneSendersMax) {
      send.fail(overloaded(`${line.held.size} sends wait`));
      return;
    }
    const bytes = typeof send.body === "function" ? o.bytes ?? unknownBodyBytes : send.body.length;
    const beyond = line.held.size >= laneMessagesMax || line.bytes + bytes > laneBytesMax;
    const leave = (reason: unknown): void => {
      held.release();
      send.fail(reason);
    };
    const timer = Number.isFinite(o.deadlineMs)
      ? this.#clock.after(Math.max(0, o.deadlineMs), () => leave(this.#late(beyond, o.deadlineMs))) : undefined;
    const held: Held = {
      ...send, bytes, beyond, place: o.place,
      release: () => {
        timer?.[Symbol.dispose]();
        listening[Symbol.dispose]();
        if (!line.held.delete(held)) return;
        line.bytes -= bytes;
        this.#size--;
      },
    };
    enter(line, held);
    line.bytes += bytes;
    this.#size++;
    const listening = onAbort(o.signal, leave);
  }

  /** The next, taken out. */
  next(): Send | undefined {
    const signal = this.#take("rpc_signal");
    if (signal !== undefined) return signal;
    for (let step = 0; step < IN_TURN.length; step++) {
      const lane = IN_TURN[this.#turn++ % IN_TURN.length];
      const send = lane === undefined ? undefined : this.#take(lane);
      if (send !== undefined) return send;
    }
    return undefined;
  }

  /** All that wait fail with this. */
  failAll(reason: unknown): void {
    for (const { held } of this.#lines.values()) {
      for (const send of [...held]) {
        send.release();
        send.fail(reason);
      }
    }
  }

  #take(lane: Lane): Send | undefined {
    for (const held of this.#lines.get(lane)?.held ?? []) {
      held.release();
      return held;
    }
    return undefined;
  }

  #late(beyond: boolean, ms: number): NodeError {
    if (beyond || this.#linked()) return overloaded(`the peer took nothing for ${ms} ms`);
    return nodeError("node.connection_not_ready", `no connection within ${ms} ms`, {
      retry_after_ms: RETRY_AFTER_MS, hint: "The peer may be starting or away; give the call more time.",
    });
  }
}

/** To the end, unless something waits that was asked later: before that then. */
function enter(line: LaneLine, held: Held): void {
  const { place } = held;
  const behind: Held[] = [];
  if (place !== undefined && place < line.placeMax) {
    for (const one of line.held) {
      if (behind.length > 0 || (one.place !== undefined && one.place > place)) behind.push(one);
    }
  }
  for (const one of behind) line.held.delete(one);
  line.held.add(held);
  for (const one of behind) line.held.add(one);
  if (place !== undefined) line.placeMax = Math.max(line.placeMax, place);
}

function overloaded(text: string): NodeError {
  return nodeError("node.overloaded", text, {
    retry_after_ms: RETRY_AFTER_MS, hint: "The peer reads slower than this node sends: send less at a time.",
  });
}
