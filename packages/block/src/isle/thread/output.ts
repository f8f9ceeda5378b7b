/**
 * What an isle prints and logs, on its way to the host.
 * takes bytes and notes; gives messages in program order; promises that the host is never far behind: whoever
 * writes faster waits; refuses nothing; never keeps anything once the isle has nothing to do.
 */
import type { LuaVm } from "../lua/vm.ts";
import { concat } from "./bytes.ts";
import { CONTROL, type FromThread } from "./protocol.ts";

/** What is printed and logged waits for the next message, at most this long, or until it is this much. */
const FLUSH_BYTES = 16_384;
const FLUSH_MS = 20;
/** What the host may have not worked off yet; beyond it the task waits. */
const AHEAD_BYTES = 1 << 20;
/** What a note costs beside its text. */
const NOTE_BYTES = 256;

export type Note = FromThread & { t: "note" };

export interface OutputParts {
  readonly isle: number;
  readonly control: Int32Array;
  post(message: FromThread | readonly FromThread[], move?: readonly Uint8Array[]): void;
}

export class Output {
  readonly #parts: OutputParts;
  readonly #waiting = new Set<() => void>();
  /** Printed, and not in the line yet. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** Leaves with the next message, in this order; what it counts for. */
  #line: FromThread[] = [];
  #lineBytes = 0;
  #moved: Uint8Array[] = [];
  #since = 0;
  #sent = 0;

  constructor(parts: OutputParts) {
    this.#parts = parts;
  }

  /** Everything printed and logged before a message is with the host before it. */
  post(message: FromThread): void {
    if (this.#empty) {
      this.#parts.post(message);
      return;
    }
    this.#gather();
    this.#line.push(message);
    this.#send();
  }

  note(note: Omit<Note, "t" | "isle" | "bytes">): void {
    const bytes = NOTE_BYTES + note.msg.length + (note.fields === undefined ? 0 : textOf(note.fields));
    this.#sent = (this.#sent + bytes) | 0;
    this.#wait();
    this.#gather();
    this.#line.push({ t: "note", isle: this.#parts.isle, bytes, ...note });
    this.#lineBytes += bytes;
    if (this.#lineBytes >= FLUSH_BYTES) this.#send();
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#wait();
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes + this.#lineBytes >= FLUSH_BYTES) this.flush();
  }

  flush(): void {
    if (this.#empty) return;
    this.#gather();
    this.#send();
  }

  get #empty(): boolean {
    return this.#bytes === 0 && this.#line.length === 0;
  }

  /** The first that waits is there from now on. */
  #wait(): void {
    if (!this.#empty) return;
    this.#since = performance.now();
    setImmediate(() => this.flush());
  }

  #gather(): void {
    if (this.#bytes === 0) return;
    const bytes = concat(this.#pieces, this.#bytes);
    this.#sent = (this.#sent + this.#bytes) | 0;
    this.#line.push({ t: "out", isle: this.#parts.isle, bytes });
    this.#lineBytes += this.#bytes;
    this.#moved.push(bytes);
    this.#pieces = [];
    this.#bytes = 0;
  }

  #send(): void {
    const line = this.#line;
    const moved = this.#moved;
    this.#line = [];
    this.#lineBytes = 0;
    this.#moved = [];
    this.#parts.post(line.length === 1 ? line[0] as FromThread : line, moved);
  }

  /** Sends what has waited long enough. */
  polled(now: number): void {
    if (!this.#empty && now - this.#since > FLUSH_MS) this.flush();
  }

  /** Bytes the host has not worked off yet. */
  get #ahead(): number {
    return ((this.#sent - Atomics.load(this.#parts.control, CONTROL.outputAcked)) | 0) + this.#bytes;
  }

  /** The host is too far behind. */
  get behind(): boolean {
    return this.#ahead > AHEAD_BYTES;
  }

  /** At the end of a host function that wrote: its task waits while the host is too far behind. */
  caughtUp(vm: LuaVm, L: number): number {
    if (this.#ahead <= AHEAD_BYTES || vm.current === null || vm.cancelling()) return 0;
    return vm.wait(L, (settle) => {
      const wake = (): void => settle(() => 0);
      this.#waiting.add(wake);
      this.room();
      return { cancel: () => this.#waiting.delete(wake) };
    }, true);
  }

  /** Looks whether the host has caught up; else it will say so. */
  room(): void {
    Atomics.store(this.#parts.control, CONTROL.outputWaits, 1);
    if (this.#ahead > AHEAD_BYTES) return;
    Atomics.store(this.#parts.control, CONTROL.outputWaits, 0);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

function textOf(fields: Readonly<Record<string, unknown>>): number {
  let bytes = 0;
  for (const [key, value] of Object.entries(fields)) {
    bytes += key.length + (typeof value === "string" ? value.length : 16);
  }
  return bytes;
}
