/** What is said between us and the thread that owns the state file. One message holds what one turn produced. */
import type { Batch, Commit, FaultData } from "@atoll-run/core";
import type { ReadName } from "./state-reads.ts";

export type Durability = "full" | "normal" | "memory";

export interface StateWorkerData {
  /** Null = in memory. */
  readonly dir: string | null;
  readonly durability: Durability;
  readonly busyTimeoutMs: number;
  /** Between two tries to open a file anew that has failed; `Infinity`: it is not. */
  readonly reopenMs: number;
  /** Its first number rises with each message to the thread, which sleeps on it. */
  readonly bell: Int32Array<SharedArrayBuffer>;
}

export type CommitRequest = readonly [id: number, kind: "commit", batch: Batch, bytes: number];
export type OtherRequest =
  | readonly [id: number, kind: "read", name: ReadName, args: readonly unknown[]]
  | readonly [id: number, kind: "open" | "close"];
export type StateRequest = CommitRequest | OtherRequest;

export interface PackedCommits {
  /** JSON of `[id, batch, bytes]` each, with the length of a body in its place. */
  readonly text: string;
  /** The bodies, one after the other. */
  readonly bodies: Uint8Array<ArrayBuffer>;
}

/** `id, value` of batches with one op; then whatever does not fit there. */
export interface PackedAnswers {
  readonly plain: Float64Array<ArrayBuffer>;
  readonly others: readonly (readonly [id: number, commit: Commit])[];
}

/** What one turn asks for; `id` tells the order. */
export interface RequestMessage {
  readonly commits: PackedCommits | null;
  readonly others: readonly OtherRequest[];
}

export interface AnswerMessage {
  readonly commits: PackedAnswers | null;
  readonly others: readonly StateAnswer[];
}

export type StateAnswer =
  | readonly [id: number, failed: false, value: unknown]
  | readonly [id: number, failed: true, fault: FaultData];
