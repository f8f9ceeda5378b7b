/** Waits for something that the ledger will tell of (spec: mob 11.5: `wait`). */
import { onAbort } from "@atoll-run/core";
import type { Served } from "./method.ts";

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
