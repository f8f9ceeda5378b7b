/** What is left of a request's time (spec: mob 11.2), where whoever asks may give it less than the server would; and waits for what the ledger will tell of (11.5). */
import { isFault, onAbort, withDeadline, type Clock } from "@atoll-run/core";
import { z } from "zod";
import { mobError } from "../errors.ts";
import type { Method, Served } from "./method.ts";

/** Of a request; a method that has a param of that name keeps it for itself. */
export const DEADLINE = "deadline_ms";
const deadline = z.coerce.number().int().min(1);

/** Throws `mob.invalid_params`. */
export function readDeadline(given: unknown): number | undefined {
  if (given === undefined || given === null) return undefined;
  const read = deadline.safeParse(given);
  if (read.success) return read.data;
  throw mobError("mob.invalid_params", `${DEADLINE}: a whole number of milliseconds, from 1`, { facts: { path: DEADLINE } });
}

export function hasOwnDeadline({ params }: Method): boolean {
  return Object.hasOwn(params.shape, DEADLINE);
}

/** What `make` gets aborts when the time is over. Throws `mob.deadline` then, `uncertain` where it may have been done all the same. */
export async function inTime<T>(
  make: (signal: AbortSignal) => Promise<T>, { ms, writes, ...o }: { readonly clock: Clock; readonly ms: number; readonly signal: AbortSignal; readonly writes: boolean },
): Promise<T> {
  try {
    return await withDeadline(make, { ...o, ms, what: "the request" });
  } catch (error) {
    if (!isFault(error) || error.code !== "core.timed_out") throw error;
    throw mobError("mob.deadline", `the request has not ended within ${ms} ms`, { cause: error, facts: { limit_ms: ms }, ...writes ? { uncertain: true } : {} });
  }
}

/** Looks again after each entry. False: it was not so in time. Throws the reason of the signal. */
export async function untilSo(
  { ledger, clock }: Pick<Served, "ledger" | "clock">, so: () => boolean, { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<boolean> {
  if (so()) return true;
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  using _ = onAbort(signal, reject);
  using __ = clock.after(ms, () => resolve(false));
  using ___ = ledger.hear(() => {
    if (so()) resolve(true);
  });
  return await promise;
}
