/** What is said between us and the thread that owns the state file. One message holds what one turn produced. */
import type { Batch, FaultData } from "@atoll-run/core";
import type { ReadName } from "./state-reads.ts";

export type Durability = "full" | "normal" | "memory";

export interface StateWorkerData {
  /** Null = in memory. */
  readonly dir: string | null;
  readonly durability: Durability;
  readonly busyTimeoutMs: number;
}

export type StateRequest =
  | readonly [id: number, kind: "commit", batch: Batch, bytes: number]
  | readonly [id: number, kind: "read", name: ReadName, args: readonly unknown[]]
  | readonly [id: number, kind: "open" | "close"];

export type StateAnswer =
  | readonly [id: number, failed: false, value: unknown]
  | readonly [id: number, failed: true, fault: FaultData];
