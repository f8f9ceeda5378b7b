/**
 * The SQL child: reads a request, runs it, answers, and reads the next. It does nothing else, so it blocks;
 * whoever wants a statement to end kills it. Signals of a terminal are left to the parent, whose death is
 * heard by the lifeline thread.
 */
import { readSync, writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { FrameReader, encodeFrame } from "./sql-frames.ts";
import { SqlConnection, toFailAnswer } from "./sql-connection.ts";
import { READY, type ChildAnswer, type ChildRequest } from "./sql-protocol.ts";

const INPUT = 0;
const OUTPUT = 1;
const ERRORS = 2;
const CHUNK_BYTES = 256 * 1024;

const connections = new Map<number, SqlConnection>();

function answer(request: ChildRequest): ChildAnswer {
  let connection = connections.get(request.db);
  if (request.op === "close") {
    connections.delete(request.db);
    connection?.close();
    return { ok: true };
  }
  if (connection === undefined) {
    if (request.open === undefined) throw new Error(`database ${request.db} is not open here`);
    try {
      connection = new SqlConnection(request.open);
    } catch (error) {
      return toFailAnswer(error, request.open.path);
    }
    connections.set(request.db, connection);
  }
  return connection.run(request);
}

function write(value: unknown): void {
  const frame = encodeFrame(value);
  for (let at = 0; at < frame.length;) at += writeSync(OUTPUT, frame, at);
}

function serve(): void {
  const reader = new FrameReader();
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  write(READY);
  for (;;) {
    const length = readSync(INPUT, chunk);
    if (length === 0) return;
    // A copy: frames that are not complete stay in the reader while the chunk is filled again.
    const bytes = Buffer.from(chunk.subarray(0, length));
    for (const request of reader.push(bytes)) write(answer(request as ChildRequest));
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
const ext = import.meta.url.slice(import.meta.url.lastIndexOf("."));
// With outputs of its own: else the worker takes ours, which makes them non-blocking.
const lifeline = new Worker(new URL(`./sql-lifeline${ext}`, import.meta.url), { stdout: true, stderr: true });
lifeline.unref();
try {
  serve();
  for (const connection of connections.values()) connection.close();
} catch (error) {
  writeSync(ERRORS, `${(error as Error).stack}\n`);
} finally {
  // An orderly exit would wait for the lifeline, which hears nothing until the parent is gone.
  process.kill(process.pid, "SIGKILL");
}
