/** What ends an isle whose time is over, and what it has for its clean-up: the same for every engine. */
import type { Alarms, CpuTime } from "./alarms.ts";
import { Terminate, type TimeLimit } from "./vm-errors.ts";

/** An isle is ended for good this long before its soft time is over, so that it is gone when it is. */
const HARD_EARLY_MS = 20;
/** However little CPU time an isle gets, its soft time ends after this many times as much, before its thread is ended. */
const BUSY_MAX = 2.5;

const WHAT: Readonly<Record<TimeLimit, (ms: number) => string>> = {
  cpuMsMax: (ms) => `CPU time over ${ms} ms`,
  wallMsMax: (ms) => `wall time over ${ms} ms`,
  sliceMsMax: (ms) => `${ms} ms of CPU without giving way`,
  sliceSharedMsMax: (ms) => `${ms} ms of CPU without giving way`,
};

export function timeOver(limit: TimeLimit, ms: number): Terminate {
  return new Terminate("timeout", `limit error: ${WHAT[limit](ms)}`, limit);
}

/** Calls `die` after the soft time. It is CPU time, so that what closes on a busy machine has it too, up to a bound. */
export function afterSoftTime(alarms: Alarms, softStopMs: number, clock: Omit<CpuTime, "lastMs">, die: () => void): void {
  const ms = softStopMs - Math.min(HARD_EARLY_MS, softStopMs / 5);
  alarms.setCpu(ms, { ...clock, lastMs: ms * BUSY_MAX }, die);
}
