/**
 * What disk and loopback of this machine take (mob 13.1): where they are slower than the bars allow for, times are compared as
 * if they were not. Absolute values stand beside.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { Row } from "../../tools/bench/bench.ts";
import { formatTime, timed } from "./figures.ts";

const FSYNCS = 200;
const ECHOES = 500;
const FSYNC_MS = 5;
const ECHO_MS = 0.5;
const BLOCK = new Uint8Array(4_096);

export interface Machine {
  /** p99 of 4 KiB to the disk, milliseconds. */
  readonly fsyncMs: number;
  /** p99 of a byte there and back. */
  readonly echoMs: number;
  /** By how much times may be longer; 1 on a machine as the bars are meant for. */
  readonly slow: number;
}

export async function measureMachine(folder: string): Promise<Machine> {
  const fsyncMs = await fsyncs(join(folder, "machine"));
  const echoMs = await echoes();
  return { fsyncMs, echoMs, slow: Math.max(1, fsyncMs / FSYNC_MS, echoMs / ECHO_MS) };
}

/** A time, milliseconds. */
export function timeRow(name: string, ms: number, { slow }: Machine, note = ""): Row {
  return { name, value: ms / slow, unit: "ms", note: noteOf(note, slow, formatTime(ms)) };
}

/** For a README: what the machine was like. */
export function machineRow({ fsyncMs, echoMs }: Machine): Row {
  return { name: "the machine: 4 KiB to the disk, p99", value: fsyncMs, unit: "ms", note: `a byte over loopback and back, p99 ${formatTime(echoMs)}` };
}

function noteOf(note: string, slow: number, absolute: string): string {
  const scaled = slow === 1 ? [] : [`${absolute} as measured, on a machine ${Number(slow.toPrecision(2))} × too slow`];
  return [...note === "" ? [] : [note], ...scaled].join("; ");
}

/** The one below which that part of all is. */
export function percentile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] as number;
}

async function fsyncs(path: string): Promise<number> {
  const file = openSync(path, "w");
  const times: number[] = [];
  for (let i = 0; i < FSYNCS; i++) {
    times.push(await timed(() => {
      writeSync(file, BLOCK, 0, BLOCK.length, 0);
      fdatasyncSync(file);
    }));
  }
  closeSync(file);
  return percentile(times, 0.99);
}

async function echoes(): Promise<number> {
  const server = createServer((socket) => socket.setNoDelay().pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket: Socket = connect((server.address() as { port: number }).port, "127.0.0.1").setNoDelay();
  await once(socket, "connect");
  const times: number[] = [];
  for (let i = 0; i < ECHOES; i++) {
    times.push(await timed(() => {
      socket.write("x");
      return once(socket, "data");
    }));
  }
  socket.destroy();
  server.close();
  return percentile(times, 0.99);
}
