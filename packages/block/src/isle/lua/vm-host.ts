/** What a VM is told of its limits, and what it needs of the thread it lives in. */
import type { Terminate } from "./state.ts";

export interface VmLimits {
  readonly bytesMax: number;
  /** CPU and wall milliseconds of the whole run; CPU milliseconds without giving way. */
  readonly cpuMsMax: number;
  readonly wallMsMax: number;
  readonly sliceMsMax: number;
  readonly liveTasksMax: number;
}

export interface VmHost {
  /** Non-zero when the host wants this isle ended; read from shared memory. */
  killRequested(): boolean;
  /** Number of the event whose handler is to be aborted, 0 for none; read from shared memory. */
  abortRequested(): number;
  monotonic(): number;
  now(): number;
  /** Bytes for stdout (1) or a warning of Lua's own (2). */
  write(descriptor: number, bytes: Uint8Array): void;
  /** Blocks until a message came or `ms` passed, and handles what came; false when that cannot be here. */
  pump(ms: number): boolean;
  /** The VM may not be entered any more. */
  died(why: Terminate): void;
  /** Runs `work` after messages had their turn. */
  later(work: () => void): void;
  /** Runs `work` once, as soon as what is going on in the thread is done. */
  soon(work: () => void): void;
  warn(text: string): void;
  /** A message for this thread has not been looked at: a shared isle gives way for it. */
  messageWaits(): boolean;
  /** Called at each poll: a chance to send what waits. */
  polled(now: number): void;
}

export type HostFunction = (L: number) => number;
