/** What a hostile script is, and what is said once for all of them. */
import type { BlockCode, RunConfig } from "@atoll-run/atoll";

export type Ending = BlockCode | "returned";

export interface Hostile {
  readonly name: string;
  readonly source: string;
  /** The ends that are right; anything else is a hole. */
  readonly ends: readonly Ending[];
  readonly limits?: RunConfig["limits"];
  /** Absent: all, since a script that may do everything has most ways to do harm. */
  readonly grants?: readonly string[];
  /** Cancelled once it has begun. */
  readonly cancelled?: true;
  /** Also run beside its neighbour on one thread. */
  readonly shared?: true;
  /** Never waits, so that its CPU time is its time. */
  readonly busy?: true;
}

/** Small, so that each attack is short; a script that is over its time in any of them is ended. */
export const HOSTILE_LIMITS = { cpuMsMax: 150, wallMsMax: 3_000, isleBytesMax: 32 << 20, lingerMs: 100 } as const;

/** For what is not about time. */
export const PATIENT = { cpuMsMax: 2_000 } as const;

type More = Partial<Omit<Hostile, "name" | "source">>;

/** Burns CPU until its budget is over. */
export function burns(name: string, source: string, more: More = {}): Hostile {
  return { name, source, ends: ["isle.timeout"], shared: true, busy: true, ...more };
}

/** Takes memory until its cap, or the time of taking it, is over. */
export function eats(name: string, source: string, more: More = {}): Hostile {
  return { name, source, ends: ["isle.memory", "isle.timeout"], limits: { cpuMsMax: 2_000 }, shared: true, ...more };
}

/** Is stopped by an error it could catch. */
export function fails(name: string, source: string, ends: readonly Ending[] = ["script.failed"], more: More = {}): Hostile {
  return { name, source, ends, limits: PATIENT, ...more };
}

/** Tries, asserts that it had no luck, and returns. */
export function returns(name: string, source: string, more: More = {}): Hostile {
  return { name, source, ends: ["returned"], limits: PATIENT, ...more };
}

/** Ends in one of several ways, each with a name. */
export function ends(name: string, source: string, how: readonly Ending[], more: More = {}): Hostile {
  return { name, source, ends: how, ...more };
}
