/**
 * What the scripts of one isle wrote to files and pipes and the host does not have yet.
 * takes bytes per open file; gives them to the host in order, in pieces worth a message; promises that
 * nothing stays here once the isle has nothing to do, and that a failed write is told at the next one;
 * refuses nothing: whoever writes faster than the host is told to wait.
 */
import type { FaultData } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { systemFacts } from "../../errno.ts";
import { blockError } from "../../errors.ts";

/** A file with this many bytes waiting is full: its writer waits until the host has them. */
const FULL_BYTES = 16_384;
/** Unasked writes of one file that may be on their way at once; what is written meanwhile waits here. */
const UNDERWAY_MAX = 4;
/** The end of a task waits this long for what it wrote. A pipe that nobody reads may never take it. */
const SETTLE_MS = 5_000;

/** Asks the host for an op without waiting for it; `done` hears how it went. */
export type Send = (op: string, args: readonly Value[], done: (fault: FaultData | undefined) => void) => void;

interface Buffered {
  /** What the names of its ops begin with: `io.` or `io.popen.`. */
  readonly front: string;
  /** Room for what waits, of which `used` bytes are. */
  room: Uint8Array;
  used: number;
  underway: number;
  fault: FaultData | undefined;
}

const NO_ROOM = new Uint8Array(0);

export class FileBuffers {
  readonly #send: Send;
  readonly #files = new Map<number, Buffered>();
  readonly #dirty = new Set<number>();
  #underway = 0;
  #armed = false;
  #settled: (() => void)[] = [];

  constructor(send: Send) {
    this.#send = send;
  }

  open(id: number, front: string): void {
    this.#files.set(id, { front, room: NO_ROOM, used: 0, underway: 0, fault: undefined });
  }

  /**
   * Copies `bytes` for an open file; true when the writer should wait until the host has what `take` gives.
   * Throws `io.failed` for a file that another task closed meanwhile.
   */
  put(id: number, bytes: Uint8Array): boolean {
    const file = this.#file(id);
    if (file.used + bytes.length > file.room.length) {
      const wider = new Uint8Array(Math.max(FULL_BYTES + 1024, file.used + bytes.length));
      wider.set(file.room.subarray(0, file.used));
      file.room = wider;
    }
    file.room.set(bytes, file.used);
    file.used += bytes.length;
    this.#dirty.add(id);
    this.#arm();
    return file.used >= FULL_BYTES;
  }

  /** The op that writes to a file. */
  writeOp(id: number): string {
    return `${this.#file(id).front}write`;
  }

  /** Is there anything of this file that the host has not confirmed? */
  pending(id: number): boolean {
    const file = this.#files.get(id);
    return file !== undefined && (file.used > 0 || file.underway > 0);
  }

  /** Hands over what waits for a file, to a caller who writes it. */
  take(id: number): Uint8Array {
    const file = this.#file(id);
    const all = file.room.slice(0, file.used);
    if (file.room.length > 2 * FULL_BYTES) file.room = NO_ROOM;
    file.used = 0;
    this.#dirty.delete(id);
    return all;
  }

  /** Why an unasked write of this file failed; told once. */
  takeFault(id: number): FaultData | undefined {
    const file = this.#files.get(id);
    const fault = file?.fault;
    if (file !== undefined) file.fault = undefined;
    return fault;
  }

  /** The file is closed: its number never comes again. */
  forget(id: number): void {
    this.#dirty.delete(id);
    this.#files.delete(id);
  }

  /** Writes what is left and closes, without anybody waiting: for files that were dropped. */
  drop(id: number): void {
    const file = this.#files.get(id);
    if (file === undefined) return;
    this.#write(id);
    this.forget(id);
    this.#hand(`${file.front}close`, [id], () => undefined);
  }

  /** Sends what waits, save for files whose host half is behind; with `all`, those too. */
  flush(all = false): void {
    for (const id of this.#dirty) if (all || this.#file(id).underway < UNDERWAY_MAX) this.#write(id);
  }

  /**
   * Calls `then` once the host has confirmed everything, at once when it already has, after a bound at the
   * latest.
   */
  settle(then: () => void): void {
    this.flush(true);
    if (this.#underway === 0) {
      then();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      this.#settled = this.#settled.filter((one) => one !== done);
      then();
    };
    const timer = setTimeout(done, SETTLE_MS);
    this.#settled.push(done);
  }

  /** The isle is gone: what still waits is lost with it, as with a process that is killed. */
  close(): void {
    this.#dirty.clear();
    this.#files.clear();
    for (const settled of this.#settled) settled();
  }

  #file(id: number): Buffered {
    const file = this.#files.get(id);
    if (file !== undefined) return file;
    const facts = systemFacts("EBADF");
    throw blockError("io.failed", facts.strerror, { facts: { ...facts } });
  }

  #write(id: number): void {
    const file = this.#file(id);
    if (file.used === 0) return;
    file.underway++;
    this.#hand(`${file.front}write`, [id, this.take(id)], (fault) => {
      file.underway--;
      file.fault ??= fault;
      if (file.used > 0) this.#arm();
    });
  }

  #hand(op: string, args: readonly Value[], done: (fault: FaultData | undefined) => void): void {
    this.#underway++;
    this.#send(op, args, (fault) => {
      done(fault);
      if (--this.#underway === 0) for (const settled of this.#settled) settled();
    });
  }

  /** Nothing waits longer than until the isle has nothing to do. */
  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      this.flush();
    });
  }
}
