/**
 * What changes of the network and of the program's life mean (spec: node 5.9, 5.10).
 *
 * takes events and the time; gives one action for all events of a window; promises that a window, once open, is never
 * prolonged; refuses path snapshots that are older than one it has seen; never does anything itself.
 */
import type { LimitsOf } from "../limits.ts";

export type NetworkEvent =
  | { readonly is: "cleanup"; readonly why: "app_terminating" | "user_logout" | "stale" | "manual" }
  /** `sequence` rises with each look at the path. */
  | { readonly is: "path"; readonly sequence: number; readonly status: "available" | "unavailable" | "unknown" }
  | {
    readonly is: "force_reconnect";
    readonly why: "path" | "long_background" | "probe_failed" | "manual" | "stale";
  }
  /** `after_ms`: how long it was in the background, when it is known better than from the event before. */
  | { readonly is: "foreground"; readonly after_ms?: number }
  | { readonly is: "background" };

/** Strongest first. */
export const NETWORK_ACTIONS = ["cleanup_only", "offline", "force_reconnect", "restore", "probe", "noop"] as const;
export type NetworkAction = (typeof NETWORK_ACTIONS)[number];

export interface NetworkState {
  /** End of the window that is open; undefined = none. */
  readonly until_ms: number | undefined;
  /** Strongest meaning of the window, but for what the newest snapshot says. */
  readonly strongest: NetworkAction;
  /** Newest snapshot of the window. */
  readonly path: "available" | "unavailable" | "unknown" | undefined;
  /** Highest sequence of all windows. */
  readonly sequence: number;
  readonly background_at_ms: number | undefined;
  readonly barrier: boolean;
}

export interface NetworkStep {
  readonly state: NetworkState;
  /** Something disruptive was heard, the first of the window: sends wait from now on. */
  readonly barrier: boolean;
  /** The window has closed: do this, once. */
  readonly action: NetworkAction | undefined;
}

export const NETWORK_QUIET: NetworkState = {
  until_ms: undefined, strongest: "noop", path: undefined, sequence: -Infinity, background_at_ms: undefined,
  barrier: false,
};

/** `now`: monotonic milliseconds. An event after the end of its window must be stepped after a `tick`. */
export function stepNetwork(
  state: NetworkState, event: NetworkEvent | { readonly is: "tick" }, now: number, limits: LimitsOf<"recovery">,
): NetworkStep {
  if (event.is === "tick") {
    if (state.until_ms === undefined || now < state.until_ms) return { state, barrier: false, action: undefined };
    const { sequence, background_at_ms } = state;
    return { state: { ...NETWORK_QUIET, sequence, background_at_ms }, barrier: false, action: fold(state) };
  }
  const { meaning, ...heard } = hear(state, event, now, limits);
  const isNews = event.is === "path" && heard.path === "unavailable";
  const barrier = !state.barrier && (isNews || meaning === "cleanup_only" || meaning === "force_reconnect");
  return {
    state: {
      ...state, ...heard, until_ms: state.until_ms ?? now + limits.settleMs,
      strongest: stronger(state.strongest, meaning), barrier: state.barrier || barrier,
    },
    barrier, action: undefined,
  };
}

function hear(
  state: NetworkState, event: NetworkEvent, now: number, limits: LimitsOf<"recovery">,
): Partial<NetworkState> & { readonly meaning: NetworkAction } {
  switch (event.is) {
    case "cleanup": return { meaning: "cleanup_only" };
    case "force_reconnect": return { meaning: "force_reconnect" };
    case "background": return { meaning: "noop", background_at_ms: state.background_at_ms ?? now };
    case "foreground": {
      const awayMs = event.after_ms ?? (state.background_at_ms === undefined ? 0 : now - state.background_at_ms);
      const meaning = awayMs >= limits.longBackgroundMs ? "force_reconnect" : "probe";
      return { meaning, background_at_ms: undefined };
    }
    case "path": {
      if (event.sequence <= state.sequence) return { meaning: "noop" };
      // Only the newest counts, so what it means is decided when the window ends.
      return { meaning: "noop", path: event.status, sequence: event.sequence };
    }
  }
}

function fold({ strongest, path }: NetworkState): NetworkAction {
  const byPath: NetworkAction = path === "unavailable" ? "offline" : path === "available" ? "restore"
    : path === "unknown" ? "probe" : "noop";
  return stronger(strongest, byPath);
}

function stronger(a: NetworkAction, b: NetworkAction): NetworkAction {
  return NETWORK_ACTIONS.indexOf(a) <= NETWORK_ACTIONS.indexOf(b) ? a : b;
}
