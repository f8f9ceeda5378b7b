/** What a VM is told of its limits, and what it needs of the thread it lives in. */
import type { Terminate } from "./vm-errors.ts";

/** Milliseconds where the name says Ms; `Infinity` = none. */
export interface VmLimits {
  readonly bytesMax: number;
  /** CPU time of the whole run, all its isles together, and its wall time. */
  readonly cpuMsMax: number;
  readonly wallMsMax: number;
  /**
   * CPU time without giving way: in a thread of its own, and in a shared one where it cannot be suspended.
   */
  readonly sliceMsMax: number;
  readonly sliceSharedMsMax: number;
  /** CPU time after which an isle of a shared thread gives way. */
  readonly giveWayMs: number;
  /** A synchronous wait in a shared thread: it holds up the others. */
  readonly syncWaitMsMax: number;
  /**
   * What catchable errors get before the isle is ended, and between two of them for what has to be closed.
   */
  readonly softStopMs: number;
  /** What the abort of a task may take. */
  readonly taskAbortMsMax: number;
  readonly liveTasksMax: number;
}

export interface VmHost {
  /** True when the host wants this isle ended; read from shared memory. */
  killRequested(): boolean;
  /** Number of the event whose handler is to be aborted, 0 for none; read from shared memory. */
  abortRequested(): number;
  monotonic(): number;
  now(): number;
  /** CPU milliseconds of this thread. */
  cpu(): number;
  /** Adds CPU milliseconds of this isle to those of its run; gives what all isles of the run have spent. */
  spent(ms: number): number;
  /** Bytes for stdout (1) or a line of Lua's own warnings (2). */
  write(descriptor: number, bytes: Uint8Array): void;
  /** Last thing a host function does that printed or logged: its task waits while the host is far behind. */
  caughtUp(L: number): number;
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
  /** Called at each poll and turn: the thread is not stuck. */
  beat(): void;
  /** Called after the last turn: nothing runs. */
  rests(): void;
  /** Bytes of the isle's memory now, what the host holds for it included. */
  sized(bytes: number): void;
  /** Called at each poll: a chance to send what waits. */
  polled(now: number): void;
}

/**
 * Takes its arguments from the stack and pushes results; gives their number. Errors are thrown: see
 * `LuaVm.raise`.
 */
export type HostFunction = (L: number) => number;
