/**
 * When and how a credential is renewed (spec: node 5.7, 5.8).
 *
 * takes what happened, the time and a random number; gives the next state and what to do; promises one renewal in
 * flight and that the id never changes by itself; refuses an answer that names another id; never waits, never asks the
 * realm itself: whoever drives it does what it says and steps it at {@link credentialWakeAt}.
 */
import type { LimitsOf } from "../limits.ts";

/** What the identity still counts for. `grace`: no new outgoing connections; `expired`: lanes are closed too. */
export type Standing = "good" | "grace" | "expired" | "lost";

/** `token`: and a proof of the key, if there is one; `key`: the proof alone, of an aware realm. */
export type RenewBy = "token" | "key";

interface Held {
  readonly expires_at_ms: number;
  readonly standing: Standing;
  /** The realm knows our key, so a proof can stand for a token that was lost. */
  readonly has_key: boolean;
}

export type CredentialState =
  | (Held & { readonly is: "active"; readonly renew_at_ms: number })
  | (Held & {
    /** `suspended`: the realm denies us for now. */
    readonly is: "renewing" | "suspended";
    readonly by: RenewBy;
    /** Number of the present attempt, from 1. */
    readonly attempt: number;
    /** Undefined while a renewal is in flight. */
    readonly ask_at_ms: number | undefined;
  })
  | { readonly is: "lost"; readonly standing: "lost" };

export type CredentialEvent =
  | { readonly is: "tick" }
  /** 401 from signaling or a peer; the realm warned in a Pong. */
  | { readonly is: "refused" | "warned" }
  | { readonly is: "renewed"; readonly same_id: boolean; readonly expires_at_ms: number; readonly has_key: boolean }
  /** Network, time-out, 5xx. */
  | { readonly is: "failed" }
  | { readonly is: "paused"; readonly retry_after_ms: number | undefined }
  /** 403. */
  | { readonly is: "denied" }
  /** 400, 401. */
  | { readonly is: "rejected" };

export type CredentialAction =
  | { readonly do: "expiring"; readonly cause: "lead_time" | "refused" | "warning"; readonly expires_at_ms: number }
  | { readonly do: "renew"; readonly by: RenewBy; readonly attempt: number }
  /** Swap the session, show it to signaling and aware peers, tell the hook. */
  | { readonly do: "install"; readonly expires_at_ms: number }
  | { readonly do: "report"; readonly why: "suspended" | "rejected" | "identity_mismatch" }
  | { readonly do: "standing"; readonly standing: Standing };

export interface CredentialStep {
  readonly state: CredentialState;
  readonly actions: readonly CredentialAction[];
}

export interface CredentialPlan {
  /** 0 ≤ x < 1. */
  readonly random: number;
  readonly limits: LimitsOf<"credential">;
}

/** A fresh credential. */
export function credentialActive(
  held: { readonly expires_at_ms: number; readonly has_key: boolean }, now: number, { random, limits }: CredentialPlan,
): CredentialState {
  const lifeMs = Math.max(0, held.expires_at_ms - now);
  const leadMs = Math.min(limits.leadMs, lifeMs / 5);
  // A tenth of a short life: else the renewal of a short one would follow itself at once.
  const jitterMs = random * Math.min(limits.jitterMs, lifeMs / 10);
  const { expires_at_ms, has_key } = held;
  return { is: "active", expires_at_ms, has_key, standing: "good", renew_at_ms: expires_at_ms - leadMs - jitterMs };
}

/** When to step with `tick` next; undefined = only something else can happen. */
export function credentialWakeAt(state: CredentialState, limits: LimitsOf<"credential">): number | undefined {
  if (state.is === "lost") return undefined;
  if (state.is === "active") return state.renew_at_ms;
  const end = state.standing === "good" ? state.expires_at_ms
    : state.standing === "grace" ? state.expires_at_ms + limits.graceMs : Infinity;
  const next = Math.min(end, state.ask_at_ms ?? Infinity);
  return Number.isFinite(next) ? next : undefined;
}

export function stepCredential(
  state: CredentialState, event: CredentialEvent, now: number, plan: CredentialPlan,
): CredentialStep {
  if (state.is === "lost") return { state, actions: [] };
  if (state.is === "active") return age(fromActive(state, event, now), now, plan.limits);
  const step = event.is === "tick" ? ask(state, now)
    : state.ask_at_ms === undefined ? answered(state, event, now, plan) : { state, actions: [] };
  return age(step, now, plan.limits);
}

type Active = Extract<CredentialState, { readonly is: "active" }>;
type Renewing = Extract<CredentialState, { readonly is: "renewing" | "suspended" }>;

function fromActive(state: Active, event: CredentialEvent, now: number): CredentialStep {
  const cause = event.is === "refused" ? "refused" : event.is === "warned" ? "warning"
    : event.is === "tick" && now >= state.renew_at_ms ? "lead_time" : undefined;
  if (cause === undefined) return { state, actions: [] };
  const { expires_at_ms, has_key, standing } = state;
  return {
    state: { is: "renewing", by: "token", attempt: 1, ask_at_ms: undefined, expires_at_ms, has_key, standing },
    actions: [{ do: "expiring", cause, expires_at_ms }, { do: "renew", by: "token", attempt: 1 }],
  };
}

function ask(state: Renewing, now: number): CredentialStep {
  if (state.ask_at_ms === undefined || now < state.ask_at_ms) return { state, actions: [] };
  const { by, attempt } = state;
  return { state: { ...state, ask_at_ms: undefined }, actions: [{ do: "renew", by, attempt }] };
}

/** The renewal that was in flight has ended. */
function answered(state: Renewing, event: CredentialEvent, now: number, plan: CredentialPlan): CredentialStep {
  const { limits, random } = plan;
  const wait = (ms: number, more: Partial<Renewing> = {}): CredentialStep =>
    ({ state: { ...state, ...more, ask_at_ms: now + ms }, actions: [] });
  switch (event.is) {
    case "renewed": {
      if (!event.same_id) return lose("identity_mismatch");
      const next = credentialActive(event, now, plan);
      const actions: CredentialAction[] = [{ do: "install", expires_at_ms: event.expires_at_ms }];
      if (state.standing !== "good") actions.push({ do: "standing", standing: "good" });
      return { state: next, actions };
    }
    case "failed": {
      if (state.is === "suspended") return wait(limits.suspendedMs);
      const usual = Math.min(limits.retryMs * 2 ** (state.attempt - 1), limits.retryMsMax);
      return wait(usual * (0.75 + random / 2), { attempt: state.attempt + 1 });
    }
    case "paused": {
      const ms = event.retry_after_ms ?? limits.retryMs;
      return wait(Math.min(Math.max(ms, limits.pauseMsMin), limits.pauseMsMax));
    }
    case "denied": {
      const { state: next } = wait(limits.suspendedMs, { is: "suspended" });
      return { state: next, actions: [{ do: "report", why: "suspended" }] };
    }
    case "rejected": {
      if (state.by === "key" || !state.has_key) return lose("rejected");
      return {
        state: { ...state, is: "renewing", by: "key", ask_at_ms: undefined },
        actions: [{ do: "renew", by: "key", attempt: state.attempt }],
      };
    }
    default: return { state, actions: [] };
  }
}

function lose(why: "rejected" | "identity_mismatch"): CredentialStep {
  return {
    state: { is: "lost", standing: "lost" },
    actions: [{ do: "report", why }, { do: "standing", standing: "lost" }],
  };
}

/** The end of the credential and of its grace pass whatever the renewal does. */
function age({ state, actions }: CredentialStep, now: number, limits: LimitsOf<"credential">): CredentialStep {
  if (state.is === "lost" || state.is === "active") return { state, actions };
  const standing = now >= state.expires_at_ms + limits.graceMs ? "expired"
    : now >= state.expires_at_ms ? "grace" : "good";
  if (standing === state.standing) return { state, actions };
  return { state: { ...state, standing }, actions: [...actions, { do: "standing", standing }] };
}
