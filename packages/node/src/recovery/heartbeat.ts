/** What a node says of its load, and how often (spec: node 5.6). Pure. */

export type AvailabilityName = "full" | "degraded" | "overloaded" | "unavailable";

export interface Load {
  readonly queued: number;
  readonly running: number;
  /** Rows that the mailbox may hold. */
  readonly hard_max: number;
  /** Free share of the event loop, the CPU, the memory … each 0 to 1; what cannot be measured is left out. */
  readonly idle_shares: readonly number[];
  readonly draining: boolean;
}

export interface Heartbeat {
  readonly availability: AvailabilityName;
  /** 1 to 5. */
  readonly power_reserve: number;
  /** 0 to 1 and more. */
  readonly mailbox_backlog: number;
}

const INTERVAL_MS = 30_000;
const SUGGESTED_MS_MIN = 5_000;
const SUGGESTED_MS_MAX = 300_000;
const TIMEOUT_SHARE = 0.4;
const TIMEOUT_MS_MIN = 1_000;
/** Pings without an answer after which the connection counts as dead. */
export const HEARTBEAT_MISSES_MAX = 3;

/** Above that power and below that backlog, the best first. */
const LEVELS = [
  { availability: "full", power: 4.2, backlog: 0.5 },
  { availability: "degraded", power: 3, backlog: 0.8 },
  { availability: "overloaded", power: 1.8, backlog: 0.95 },
] as const;

export function toHeartbeat({ queued, running, hard_max, idle_shares, draining }: Load): Heartbeat {
  const mailbox_backlog = hard_max > 0 ? (queued + running) / hard_max : 1;
  const measured = idle_shares.filter(Number.isFinite).map((share) => Math.min(1, Math.max(0, share)));
  const idle = measured.length > 0 ? Math.min(...measured) : Math.max(0, 1 - mailbox_backlog);
  const power_reserve = 1 + 4 * idle;
  const level = LEVELS.find(({ power, backlog }) => power_reserve > power && mailbox_backlog < backlog);
  const availability = draining ? "unavailable" : level?.availability ?? "unavailable";
  return { availability, power_reserve, mailbox_backlog };
}

/** Milliseconds between two pings: as the realm asks for, in its bounds; 0 or nothing = 30 s. */
export function heartbeatInterval(registeredSecs: number, suggestedSecs: number | undefined): number {
  if (suggestedSecs !== undefined && suggestedSecs > 0) {
    return Math.min(Math.max(suggestedSecs * 1_000, SUGGESTED_MS_MIN), SUGGESTED_MS_MAX);
  }
  return registeredSecs > 0 ? registeredSecs * 1_000 : INTERVAL_MS;
}

/** How long an answer may take. */
export function heartbeatTimeout(intervalMs: number): number {
  return Math.max(TIMEOUT_SHARE * intervalMs, TIMEOUT_MS_MIN);
}
