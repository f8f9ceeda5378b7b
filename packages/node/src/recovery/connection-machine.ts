/**
 * How a connection to one peer comes, breaks and comes back (spec: node 5.11, 5.12).
 *
 * takes what happened, the time and a random number; gives the next state and what to do; promises that whoever waits is
 * released or told, on every path, and that an attempt of yesterday changes nothing today; refuses what belongs to
 * another session; never knows by which wire: a try is a dial or a negotiation of roles and an offer.
 */
import type { LimitsOf } from "../limits.ts";

interface Try {
  /** Rises with each connection object; what names another one is stale. */
  readonly session: number;
  /** Number of the try, from 1. */
  readonly attempt: number;
  readonly began_at_ms: number;
  /** The last offer or dial. */
  readonly tried_at_ms: number;
  /** End of the present try; undefined while it waits for the next one. */
  readonly until_ms: number | undefined;
  /** Start of the next try; undefined while one runs. */
  readonly next_at_ms: number | undefined;
}

export type ConnectionState =
  | { readonly is: "idle"; readonly session: number }
  | (Try & { readonly is: "connecting" | "recovering" })
  | {
    readonly is: "connected"; readonly session: number;
    /** Since when the wire is down. */
    readonly down_at_ms: number | undefined;
  };

export type ConnectionEvent =
  | { readonly is: "tick" }
  /** A send waits for the connection. */
  | { readonly is: "wanted" }
  /** The peer began: it dials us, or its role negotiation came. */
  | { readonly is: "offered" }
  /** Two offers crossed; the role rule says whose counts. */
  | { readonly is: "crossed"; readonly session: number; readonly ours_counts: boolean }
  /** Lanes are open and the peer has proved who it is. */
  | { readonly is: "verified"; readonly session: number }
  /** `why` `refused`, `identity`: trying again is useless. */
  | { readonly is: "failed"; readonly session: number; readonly why: "broken" | "refused" | "identity" }
  | { readonly is: "wire_down" | "wire_up"; readonly session: number }
  | { readonly is: "lost"; readonly session: number; readonly why: "channel_closed" | "probe_failed" | "restart_asked" }
  /** The network is gone: nothing is tried until it is back. */
  | { readonly is: "offline" | "online" }
  /** Orderly end, at once end. */
  | { readonly is: "close" | "cleanup" };

export type ConnectionAction =
  /** Negotiate, then offer; or dial. `fresh`: a new exchange, nothing of the old connection is used. */
  | { readonly do: "try"; readonly session: number; readonly attempt: number; readonly within_ms: number }
  /** The peer's offer stands: answer it. */
  | { readonly do: "yield"; readonly session: number }
  | { readonly do: "release" }
  /** Those that wait, and of `pending` also those that were sent and not answered. */
  | {
    readonly do: "fail"; readonly which: "waiting" | "pending"; readonly code: "node.unavailable" | "node.permission_denied";
    readonly uncertain: boolean;
  }
  | { readonly do: "hook"; readonly name: "connecting" | "connected" | "disconnected"; readonly status: ConnectionState["is"] }
  | { readonly do: "close_wire"; readonly session: number; readonly drain_ms: number }
  /** Send stored replies, resume streams. */
  | { readonly do: "resume" }
  | { readonly do: "stream_uncertain" }
  | { readonly do: "ignored"; readonly session: number };

export interface ConnectionStep {
  readonly state: ConnectionState;
  readonly actions: readonly ConnectionAction[];
}

export interface ConnectionPlan {
  /** 0 ≤ x < 1. */
  readonly random: number;
  readonly limits: LimitsOf<"recovery">;
}

/** Waits between tries of a recovery, milliseconds; the last one repeats. */
const RECOVER_WAITS_MS: readonly number[] = [1_000, 2_000, 4_000, 5_000];
const JITTER = 0.2;

export const CONNECTION_IDLE: ConnectionState = { is: "idle", session: 0 };

/** When to step with `tick` next; undefined = only something else can happen. */
export function connectionWakeAt(state: ConnectionState, limits: LimitsOf<"recovery">): number | undefined {
  if (state.is === "idle") return undefined;
  if (state.is === "connected") return state.down_at_ms === undefined ? undefined : state.down_at_ms + limits.downMs;
  const next = Math.min(state.until_ms ?? Infinity, state.next_at_ms ?? Infinity, endOf(state, limits));
  return Number.isFinite(next) ? next : undefined;
}

export function stepConnection(
  state: ConnectionState, event: ConnectionEvent, now: number, plan: ConnectionPlan,
): ConnectionStep {
  if ("session" in event && event.session !== state.session) {
    return { state, actions: [{ do: "ignored", session: event.session }] };
  }
  if (event.is === "close" || event.is === "cleanup") return end(state, event.is === "close" ? plan.limits.drainMsMax : 0);
  if (state.is === "idle") {
    return event.is === "wanted" || event.is === "offered" ? begin(state.session, "connecting", now, plan) : stay(state);
  }
  return state.is === "connected" ? fromConnected(state, event, now, plan) : fromTrying(state, event, now, plan);
}

type Trying = Extract<ConnectionState, { readonly is: "connecting" | "recovering" }>;
type Connected = Extract<ConnectionState, { readonly is: "connected" }>;

function fromConnected(state: Connected, event: ConnectionEvent, now: number, plan: ConnectionPlan): ConnectionStep {
  const { session, down_at_ms } = state;
  switch (event.is) {
    case "wire_down": return stay({ ...state, down_at_ms: down_at_ms ?? now });
    case "wire_up": return stay({ ...state, down_at_ms: undefined });
    case "tick": {
      if (down_at_ms === undefined || now < down_at_ms + plan.limits.downMs) return stay(state);
      break;
    }
    case "lost":
    case "failed":
    case "offered":
    case "offline": break;
    default: return stay(state);
  }
  const next = begin(session, "recovering", now, plan);
  const left: ConnectionAction[] = [
    { do: "hook", name: "disconnected", status: "recovering" }, { do: "close_wire", session, drain_ms: 0 },
  ];
  if (event.is !== "offline") return { state: next.state, actions: [...left, ...next.actions] };
  return { state: paused(next.state), actions: left };
}

function fromTrying(state: Trying, event: ConnectionEvent, now: number, plan: ConnectionPlan): ConnectionStep {
  const { session } = state;
  switch (event.is) {
    case "verified": {
      // Its wire was given up already.
      if (state.until_ms === undefined) return { state, actions: [{ do: "ignored", session }] };
      const resume: ConnectionAction[] = state.is === "recovering" ? [{ do: "resume" }] : [];
      return {
        state: { is: "connected", session, down_at_ms: undefined },
        actions: [{ do: "hook", name: "connected", status: "connected" }, { do: "release" }, ...resume],
      };
    }
    case "failed": {
      if (event.why === "broken") return state.until_ms === undefined ? stay(state) : again(state, now, plan);
      return giveUp(state, event.why === "identity" ? "node.permission_denied" : "node.unavailable");
    }
    case "lost": return state.until_ms === undefined ? stay(state) : again(state, now, plan);
    case "crossed": {
      // Whose offer stands goes on; the try itself keeps its time.
      return event.ours_counts ? stay(state) : { state, actions: [{ do: "yield", session }] };
    }
    case "offline": return {
      state: paused(state), actions: state.until_ms === undefined ? [] : [{ do: "close_wire", session, drain_ms: 0 }],
    };
    case "online": {
      if (state.until_ms !== undefined) return stay(state);
      if (now >= endOf(state, plan.limits)) return giveUp(state, "node.unavailable");
      // Waits of before are forgotten: the way is another one now.
      return start({ ...state, attempt: 0 }, now, plan);
    }
    case "tick": {
      if (now >= endOf(state, plan.limits)) return giveUp(state, "node.unavailable");
      if (state.until_ms !== undefined && now >= state.until_ms) return again(state, now, plan);
      return state.next_at_ms !== undefined && now >= state.next_at_ms ? start(state, now, plan) : stay(state);
    }
    default: return stay(state);
  }
}

function begin(session: number, is: Trying["is"], now: number, plan: ConnectionPlan): ConnectionStep {
  const state = { is, session, attempt: 0, began_at_ms: now, tried_at_ms: -Infinity, until_ms: undefined, next_at_ms: now };
  const step = start(state, now, plan);
  return { state: step.state, actions: [...step.actions, { do: "hook", name: "connecting", status: is }] };
}

/** The next try, with a session of its own. */
function start(state: Trying, now: number, { limits }: ConnectionPlan): ConnectionStep {
  const session = state.session + 1;
  const attempt = state.attempt + 1;
  const tryMs = state.is === "connecting" ? limits.tryMsMax : limits.recoverTryMsMax;
  const until = Math.min(now + tryMs, endOf(state, limits));
  return {
    state: { ...state, session, attempt, tried_at_ms: now, until_ms: until, next_at_ms: undefined },
    actions: [{ do: "try", session, attempt, within_ms: until - now }],
  };
}

/** The try has failed: wait for the next one, or give up. */
function again(state: Trying, now: number, plan: ConnectionPlan): ConnectionStep {
  const { limits, random } = plan;
  const most = state.is === "connecting" ? limits.connectTriesMax : limits.recoverTriesMax;
  if (state.attempt >= most || now >= endOf(state, limits)) return giveUp(state, "node.unavailable");
  const nth = Math.max(0, state.attempt - 1);
  const usual = state.is === "connecting"
    ? Math.min(limits.connectBackoffMs * 2 ** nth, limits.connectBackoffMsMax)
    : RECOVER_WAITS_MS[Math.min(nth, RECOVER_WAITS_MS.length - 1)] ?? limits.offerMsMin;
  const at = Math.max(now + usual * (1 - JITTER + 2 * JITTER * random), state.tried_at_ms + limits.offerMsMin);
  const closes: ConnectionAction[] = state.until_ms === undefined ? []
    : [{ do: "close_wire", session: state.session, drain_ms: 0 }];
  return { state: { ...state, until_ms: undefined, next_at_ms: at }, actions: closes };
}

/** Nothing is tried while the network is away; the end of the whole stays. */
function paused(state: ConnectionState): ConnectionState {
  return state.is === "connecting" || state.is === "recovering"
    ? { ...state, until_ms: undefined, next_at_ms: undefined } : state;
}

function giveUp(state: Trying, code: "node.unavailable" | "node.permission_denied"): ConnectionStep {
  const { session } = state;
  const recovering = state.is === "recovering";
  const lost: ConnectionAction[] = recovering
    ? [{ do: "fail", which: "pending", code: "node.unavailable", uncertain: true }, { do: "stream_uncertain" }] : [];
  return {
    state: { is: "idle", session },
    actions: [
      { do: "close_wire", session, drain_ms: 0 }, { do: "fail", which: "waiting", code, uncertain: false }, ...lost,
      { do: "hook", name: "disconnected", status: "idle" },
    ],
  };
}

/** `close`, `cleanup`: whatever the state was, nobody waits afterwards. */
function end(state: ConnectionState, drainMs: number): ConnectionStep {
  if (state.is === "idle") return stay(state);
  const { session } = state;
  return {
    state: { is: "idle", session },
    actions: [
      { do: "close_wire", session, drain_ms: state.is === "connected" ? drainMs : 0 },
      { do: "fail", which: "waiting", code: "node.unavailable", uncertain: false },
      { do: "fail", which: "pending", code: "node.unavailable", uncertain: true },
      { do: "hook", name: "disconnected", status: "idle" },
    ],
  };
}

function endOf(state: Trying, limits: LimitsOf<"recovery">): number {
  return state.began_at_ms + (state.is === "connecting" ? limits.connectMsMax : limits.recoverMsMax);
}

function stay(state: ConnectionState): ConnectionStep {
  return { state, actions: [] };
}
