/** What ends a VM, and what it has no room for. Bridge errors are faults: see errors.ts. */

/** Thrown out of a poll: no Lua code can catch it, and the instance is dropped after it. */
export class Terminate extends Error {
  readonly cause_code: "cancelled" | "timeout" | "memory" | "crashed" | "output";
  /** The limit that is over, where one is named. */
  readonly limit: TimeLimit | undefined;
  constructor(why: Terminate["cause_code"], text: string, limit?: TimeLimit) {
    super(text);
    this.cause_code = why;
    this.limit = limit;
  }
}

/** The first two are limits of the run, all its isles together. */
export type TimeLimit = "cpuMsMax" | "wallMsMax" | "sliceMsMax" | "sliceSharedMsMax";

/** For the message of its death. */
export function limitOf({ limit }: Terminate): { limit?: TimeLimit } {
  return limit === undefined ? {} : { limit };
}

/** The VM has no room for what the host wants to push; becomes Lua's own `not enough memory`. */
export class OutOfMemory extends Error {
  constructor() {
    super("not enough memory");
  }
}

/** The script went so deep that there is no place left on its stack. */
export class StackFull extends Error {
  constructor() {
    super("stack overflow");
  }
}
