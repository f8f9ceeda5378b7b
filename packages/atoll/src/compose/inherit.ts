/**
 * What "inherit" means for the output of a block: the program's own stdout and stderr.
 * takes bytes; gives a promise while they wait; promises that nothing is lost before `flush` settles; refuses
 * nothing: what a stream that failed can no longer take is dropped, and who asked to hear of it is told; never throws.
 */

export type Stream = "stdout" | "stderr";

interface Door {
  readonly stream: NodeJS.WriteStream;
  broken: boolean;
}

const doors = new Map<Stream, Door>();

function doorOf(name: Stream): Door {
  const known = doors.get(name);
  if (known !== undefined) return known;
  const door: Door = { stream: process[name], broken: false };
  doors.set(name, door);
  // EPIPE: the reader has gone; ENOSPC: the disk of a file is full. Without a listener the error would end the process.
  door.stream.on("error", (error: NodeJS.ErrnoException) => {
    door.broken = true;
    for (const hear of broken) hear(name, error);
  });
  return door;
}

type HearBroken = (stream: Stream, error: NodeJS.ErrnoException) => void;
const broken = new Set<HearBroken>();

/** Hears when a stream takes no more: its reader has gone (EPIPE), or it is a file that cannot be written. */
export function onBrokenOutput(hear: HearBroken): Disposable {
  broken.add(hear);
  return { [Symbol.dispose]: () => void broken.delete(hear) };
}

/** Settles, or returns undefined, when the stream wants more. */
export function inherit(name: Stream, bytes: Uint8Array | string): void | Promise<void> {
  const door = doorOf(name);
  if (door.broken || door.stream.write(bytes)) return undefined;
  return drained(door);
}

/** Settles when everything given so far has been handed to the system, or nobody reads it any more. */
export async function flushInherited(): Promise<void> {
  await Promise.all([...doors.values()].map(async (door) => {
    if (door.broken || door.stream.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      door.stream.write("", () => resolve());
    });
  }));
}

function drained({ stream }: Door): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      stream.off("error", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
    stream.on("error", done);
  });
}
