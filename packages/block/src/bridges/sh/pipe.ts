/** A child whose output is read, or whose input is written, piece by piece: `io.popen`. */
import { type Clock, onAbort, withDeadline } from "@atoll-run/core";
import type { Child, Exit } from "../../children/runner.ts";
import { systemFacts } from "../../errno.ts";
import { blockError } from "../../errors.ts";
import { readBytes } from "../arguments.ts";
import type { Opened } from "../handles.ts";
import type { Value } from "../op.ts";

/** Milliseconds in which the last output of an ended child is passed on. */
const LAST_WORDS_MS = 250;

export interface PipeOptions {
  readonly clock: Clock;
  /** What the script holds: the output, the input, or nothing. */
  readonly mode: "r" | "w" | "none";
  /** Takes the streams the script does not hold. */
  readonly write: (stream: "stdout" | "stderr", bytes: Uint8Array) => void | Promise<void>;
}

export interface Pipe extends Opened {
  /** At most `bytes` bytes; undefined at the end. The child waits while nobody reads. */
  read(bytes: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Resolves when the child may be given more. */
  write(data: Value, signal: AbortSignal): Promise<void>;
  /** Ends the script's side and waits for the child; an abort ends the child. */
  finish(signal: AbortSignal): Promise<Exit>;
}

export function openPipe(child: Child, o: PipeOptions): Pipe {
  const forwarded = [
    o.mode === "r" ? undefined : forward(child.stdout, (bytes) => o.write("stdout", bytes)),
    forward(child.stderr, (bytes) => o.write("stderr", bytes)),
  ];
  const source = o.mode === "r" ? child.stdout?.[Symbol.asyncIterator]() : undefined;
  // Read from the start: Node throws away what an ended child wrote to a stream that nobody listens to.
  let next = source?.next();
  next?.catch(() => undefined);
  let rest: Uint8Array = new Uint8Array();
  return {
    async read(bytes, signal) {
      if (source === undefined) throw badFile();
      while (rest.length === 0) {
        // A read that was cancelled leaves its piece to the next one.
        next ??= source.next();
        const piece = await orAbort(next, signal);
        next = undefined;
        if (piece.done === true) return undefined;
        rest = piece.value;
      }
      const part = rest.subarray(0, Math.max(1, bytes));
      rest = rest.subarray(part.length);
      return Uint8Array.from(part);
    },
    async write(data, signal) {
      const { stdin } = child;
      if (stdin === null) throw badFile();
      const bytes = readBytes("write: argument #1", data) ?? "";
      await orAbort(new Promise<void>((done, fail) => {
        stdin.write(bytes, (error) => error ? fail(brokenPipe(error)) : done());
      }), signal);
    },
    async finish(signal) {
      child.stdin?.end();
      if (o.mode === "r") child.stdout?.destroy();
      using _ = onAbort(signal, () => void child.kill());
      const exit = await orAbort(child.exited, signal);
      // What the child said comes before the answer; what it left running may hold the streams open for ever.
      await withDeadline(() => Promise.all(forwarded), { clock: o.clock, ms: LAST_WORDS_MS, signal })
        .catch(() => signal.throwIfAborted());
      return exit;
    },
    async close() {
      await child.kill();
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
  };
}

/** Passes a stream on at the pace of its taker. Ends with the stream; a taker that fails ends the stream. */
async function forward(
  stream: AsyncIterable<Uint8Array> | null, write: (bytes: Uint8Array) => void | Promise<void>,
): Promise<void> {
  try {
    for await (const chunk of stream ?? []) await write(chunk);
  } catch {
    // The stream was let go with its child, or nobody takes its output any more: the child sees a broken
    // pipe.
  }
}

/** The result, or the reason of the signal as soon as it aborts. */
async function orAbort<T>(wait: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  using _ = onAbort(signal, reject);
  return await Promise.race([wait, promise]);
}

function badFile(): Error {
  const facts = systemFacts("EBADF");
  return blockError("io.failed", facts.strerror, { facts: { ...facts } });
}

function brokenPipe(cause: Error): Error {
  const facts = systemFacts("EPIPE");
  return blockError("io.failed", facts.strerror, { facts: { ...facts }, cause });
}
