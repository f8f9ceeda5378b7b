import type { MemberMode } from "../definition/definition.ts";

/** What is shown of a member (spec: mob 3.4). */
import type { Usage } from "../usage/usage.ts";

export type MemberState =
  | "starting" | "active" | "dormant" | "suspended" | "broken" | "retiring" | "retired" | "completed";

export interface MemberRow {
  readonly id: string;
  readonly profile: string;
  readonly state: MemberState;
  readonly phase: "idle" | "busy" | "waiting_approval";
  readonly generation: number;
  /** `<id>:<generation>`. */
  readonly runtime_id: string;
  readonly mode: MemberMode;
  readonly external: boolean;
  readonly wired_to: readonly string[];
  /** Those of its profile under its own. */
  readonly labels: Readonly<Record<string, string>>;
  readonly origin: "definition" | "desired" | "api" | "helper";
  readonly held: boolean;
  /** The member that made it. */
  readonly spawned_by?: string;
  /** Of its scope: a higher fence with each start; `healthy` while nobody else has taken it and it is not suspended. */
  readonly lease: { readonly fence: number; readonly ttl_ms: number; readonly healthy: boolean };
  readonly queue: { readonly depth: number; readonly oldest_at_ms: number | null; readonly dead: number };
  readonly usage: Usage;
  /** `head`: `seq` of the last entry of the ledger that has a record there; 0 = none. */
  readonly session: { readonly id: string; readonly head: number };
  readonly last_error?: { readonly code: string; readonly text: string };
  readonly final: boolean;
  readonly since_at_ms: number;
  readonly seq: number;
}
