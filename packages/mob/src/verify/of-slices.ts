/** Whether the rows that say what stands in parts of the ledger deny anything that stands there (spec: mob 5.6, 5.11). */
import { readEntry } from "../ledger/body.ts";
import type { Entry } from "../ledger/entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { SLICES_JOURNAL } from "../ledger/names.ts";
import { toMayHave } from "../ledger/slice.ts";
import { readSlice } from "../ledger/slices.ts";
import type { Finding } from "./finding.ts";

const SLICES_PAGE = 64;
const PAGE = 1_000;

const HINT = `Who asks by a filter does not get it: take the rows of the journal ${SLICES_JOURNAL} away, and they are made anew.`;

export async function ofSlices(
  ledger: Pick<Ledger, "store" | "rows">, { max, signal }: { readonly max: number; readonly signal: AbortSignal },
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (let after = 0; findings.length < max;) {
    const page = await ledger.store.journal(SLICES_JOURNAL, { after, limit: SLICES_PAGE });
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.seq;
    for (const slice of page.map(readSlice)) {
      for (let at = slice.after; at < slice.to;) {
        signal.throwIfAborted();
        const entries = (await ledger.rows(at, PAGE)).filter(({ seq }) => seq <= slice.to).map(readEntry);
        const denied = entries.filter((entry) => toMayHave(askedBy(entry))?.(slice) === false);
        findings.push(...denied.map(({ seq }): Finding => ({ severity: "error", code: "slice_denies", path: `ledger/${seq}`, hint: HINT })));
        at = entries.at(-1)?.seq ?? slice.to;
      }
    }
  }
  return findings;
}

/** By all that it can be asked for. */
function askedBy({ kind, ts_ms, member, turn_id, run_id, session, principal }: Entry): Parameters<typeof toMayHave>[0] {
  return {
    kinds: [kind], since_at_ms: ts_ms, until_at_ms: ts_ms + 1,
    ...member === undefined ? {} : { member }, ...turn_id === undefined ? {} : { turn_id }, ...run_id === undefined ? {} : { run_id },
    ...session === undefined ? {} : { session_id: session.id }, ...principal === undefined ? {} : { principal },
  };
}
