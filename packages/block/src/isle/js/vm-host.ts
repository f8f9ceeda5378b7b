/** What a JavaScript VM needs of the thread it lives in. */
import type { Terminate } from "../lua/vm-errors.ts";

export interface JsVmHost {
  killRequested(): boolean;
  abortRequested(): number;
  /** The time of an event is over; must not enter the VM. */
  abortEvent(seq: number): void;
  cpu(): number;
  spent(ms: number): number;
  polled(now: number): void;
  messageWaits(): boolean;
  /** Called at each poll and turn: the thread is not stuck; called after the last turn: nothing runs. */
  beat(): void;
  rests(): void;
  /** Bytes of the isle's memory, what the host holds for it included. */
  sized(bytes: number): void;
  soon(work: () => void): void;
  later(work: () => void): void;
  /** The isle is being ended: tell its script. */
  ending(why: Terminate): void;
  died(why: Terminate): void;
  /** Nothing is left to run for now. */
  quiet(): void;
}

/** What goes with a message: a packed value, its byte strings, a name. */
export interface Sent {
  readonly text?: string;
  readonly extra?: string;
  readonly bytes?: readonly Uint8Array[];
  /** Bytes that are held for it until the isle has it. */
  readonly held?: number;
}
