/** What a node says of itself (spec: node 2.3, 11.4). */
import type { Durability, NetworkHealth } from "./parts.ts";
import type { NodeLimits } from "./node-limits.ts";

export interface Health {
  readonly state: "running" | "draining" | "closed";
  /** It runs, takes messages, and what it accepts is stored. */
  readonly ready: boolean;
  /** Why it is not ready, or not quite well: `draining`, `store`, `workload`, `mailbox`, `identity`, `signaling`. */
  readonly problems: readonly string[];
  /** Ready, but without signaling for more than a minute. */
  readonly degraded: boolean;
  readonly durability: Durability;
  /** Where the data lies; absent = in memory, or not known. */
  readonly dir?: string;
  readonly mailbox: { readonly depth: number; readonly running: number; readonly dead_letters: number; readonly dedup_entries: number };
  /** Absent for a node without a realm. */
  readonly network?: NetworkHealth;
}

export interface HealthFacts {
  readonly state: Health["state"];
  readonly storeReady: boolean;
  readonly workloadUp: boolean;
  readonly durability: Durability;
  readonly dir: string | undefined;
  readonly inbox: Readonly<Record<string, number>>;
  readonly network: NetworkHealth | undefined;
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  readonly limits: NodeLimits;
}

export function toHealth(facts: HealthFacts): Health {
  const { state, storeReady, workloadUp, inbox, network, dir, nowMs, limits } = facts;
  const depth = inbox["mailbox_depth"] ?? 0;
  // The rest is for signals: everybody else is refused from here on.
  const { hardRowsMax, highShare } = limits.mailbox;
  const stops = [
    ...state === "running" ? [] : [state], ...storeReady ? [] : ["store"], ...workloadUp ? [] : ["workload"],
    ...depth < Math.floor(hardRowsMax * (1 - highShare)) ? [] : ["mailbox"],
    ...network === undefined || network.identity === "good" || network.identity === "grace" ? [] : ["identity"],
  ];
  const downMs = network?.signaling_down_since_ms === undefined ? 0 : nowMs - network.signaling_down_since_ms;
  const degraded = downMs > limits.life.signalingDownMs;
  return {
    state, ready: stops.length === 0, degraded, problems: [...stops, ...degraded ? ["signaling"] : []],
    durability: facts.durability, ...dir === undefined ? {} : { dir },
    mailbox: {
      depth, running: inbox["running"] ?? 0, dead_letters: inbox["accepted_letters"] ?? 0,
      dedup_entries: inbox["dedup_entries"] ?? 0,
    },
    ...network === undefined ? {} : { network },
  };
}
