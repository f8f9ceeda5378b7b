/**
 * Whether what a mob has in hand is what its ledger says (spec: mob 5.11).
 *
 * takes the live view and its ledger; gives what is not as it should be; promises to change nothing; refuses nothing; never holds up
 * the mob: it reads page by page, and compares with what was there when it began.
 */
import { isFault } from "@atoll-run/core";
import type { Blobs } from "../blobs/blobs.ts";
import { memberScope } from "../ids.ts";
import { readEntry } from "../ledger/body.ts";
import { KEY_OF_ENTRY } from "../ledger/names.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { TURN_ROUTE } from "../member/turn-desk.ts";
import type { View } from "../roster/view.ts";
import { viewAt } from "../roster/view-at.ts";
import { journalOf } from "../sessions/record.ts";
import { listSessions, readSession } from "../sessions/sessions.ts";
import type { Finding } from "./finding.ts";
import { ofOutput } from "./of-blobs.ts";
import { ofSlices } from "./of-slices.ts";

const PAGE = 500;
/** More are not told: they have one cause. */
const FINDINGS_MAX = 100;

export interface VerifyParts {
  readonly ledger: Ledger;
  readonly view: View;
  readonly blobs: Pick<Blobs, "stat">;
  /** Keys of entries that were written before that may be forgotten already: they go when their entries may go. */
  readonly keysSinceMs: number;
}

/** Retention may be late, or early where another clock wrote. */
const RETENTION_SLACK_MS = 86_400_000;

export function keysSince(nowMs: number, { retentionMs }: { readonly retentionMs: number }): number {
  return nowMs - retentionMs + RETENTION_SLACK_MS;
}

export async function verifyMob({ ledger, view, blobs, keysSinceMs }: VerifyParts, signal: AbortSignal): Promise<readonly Finding[]> {
  const now = frozen(view);
  const findings = [...await ofFold(ledger, now, signal), ...await ofEntries({ ledger, blobs, upTo: now.seq, keysSinceMs }, signal), ...await ofSlices(ledger, { max: FINDINGS_MAX, signal })];
  for (const [member, open] of now.open) {
    if (findings.length >= FINDINGS_MAX) break;
    signal.throwIfAborted();
    findings.push(...await ofMailbox({ ledger, view }, member, open), ...await ofSessions({ ledger, view }, member));
  }
  return findings.slice(0, FINDINGS_MAX);
}

/** As it is at this instant. Turns that are over are left out: a view forgets the oldest of them. */
function frozen(view: View) {
  const { members, edges, approvals, runs } = view;
  const text = <T>(all: Iterable<readonly [string, T]>): ReadonlyMap<string, string> => new Map([...all].map(([key, one]) => [key, JSON.stringify(one)]));
  return {
    seq: view.seq, members: text(members), edges: text(edges), open: new Map([...members].map(([id, member]) => [id, member.open])),
    approvals: text([...approvals].filter(([, { state }]) => state === "open")), runs: text([...runs].filter(([, { state }]) => state === "running")),
  };
}

async function ofFold(ledger: Ledger, now: ReturnType<typeof frozen>, signal: AbortSignal): Promise<readonly Finding[]> {
  const then = frozen(await viewAt(ledger, now.seq, { signal, anew: true }));
  return (["members", "edges", "approvals", "runs"] as const).flatMap((list) => {
    const keys = new Set([...now[list].keys(), ...then[list].keys()]);
    return [...keys].filter((key) => now[list].get(key) !== then[list].get(key)).map((key): Finding => ({
      severity: "error", code: "fold_differs", path: `${list}/${key}`, hint: "Start the mob anew without its snapshots: the ledger is what counts.",
    }));
  });
}

/** What they refer to is there; each that may be there once is there once, and its key is known, so that it stays the only one. */
async function ofEntries({ ledger, blobs, upTo, keysSinceMs }: Omit<VerifyParts, "view"> & { readonly upTo: number }, signal: AbortSignal): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const [known, asked] = [new Set<string>(), new Set<string>()];
  for (let at = ledger.pruned; at < upTo && findings.length < FINDINGS_MAX;) {
    signal.throwIfAborted();
    const page = await ledger.rows(at, PAGE);
    if (page.length === 0) break;
    for (const row of page) {
      at = row.seq;
      findings.push(...await ofOutput(row, blobs, asked));
      // Few have a key, and most need not be read to see that.
      if (row.at_ms < keysSinceMs || !row.body.includes('"dedupe_key":')) continue;
      const { kind, dedupe_key, seq } = readEntry(row);
      if (dedupe_key === undefined) continue;
      const path = `ledger/${seq}/${dedupe_key}`;
      const name = JSON.stringify([row.scope, kind, dedupe_key]);
      if (known.has(name)) findings.push({ severity: "error", code: "entry_twice", path, hint: "It was written by two at once: look at what both of them did." });
      known.add(name);
      const answer = await ledger.store.find(row.scope, { sender: KEY_OF_ENTRY, route: kind, request_id: dedupe_key });
      if (answer === undefined) findings.push({ severity: "error", code: "key_unknown", path, hint: "It may be written once more: look at what wrote it." });
    }
  }
  return findings;
}

/** Every open turn lies in the mailbox of its member, and nothing else does. */
async function ofMailbox({ ledger, view }: { readonly ledger: Ledger; readonly view: View }, member: string, open: readonly string[]): Promise<readonly Finding[]> {
  const rows = new Set<string>();
  for (let after = 0; ;) {
    const page = await ledger.store.rows(memberScope(member), { after, limit: PAGE });
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.seq;
    for (const { route, request_id } of page) if (route === TURN_ROUTE) rows.add(request_id.split("#")[0] ?? "");
  }
  // What has moved meanwhile is no finding: both sides must say so still.
  const stillOpen = new Set(view.members.get(member)?.open);
  const lost = open.filter((turn) => stillOpen.has(turn) && !rows.has(turn)).map((turn): Finding => ({
    severity: "error", code: "turn_without_mail", path: `mailbox/${member}/${turn}`, hint: "Cancel the turn and send it again.",
  }));
  const stray = [...rows].filter((turn) => !stillOpen.has(turn) && view.turns.get(turn)?.ended_at_ms !== undefined && !open.includes(turn)).map((turn): Finding => ({
    severity: "warning", code: "mail_without_turn", path: `mailbox/${member}/${turn}`, hint: "It is run or given up at the next start of the member.",
  }));
  return [...lost, ...stray];
}

async function ofSessions({ ledger: { store }, view }: { readonly ledger: Ledger; readonly view: View }, member: string): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const { session } = view.row(member) ?? {};
  if (session !== undefined && session.head > 0 && (await store.journalBack(journalOf(session.id), { before: session.head, limit: 1 })).length === 0) {
    findings.push({
      severity: "error", code: "record_missing", path: `sessions/${session.id}/${session.head}`, hint: "What was said is lost; reset the member to begin a new session.",
    });
  }
  for (const { session_id } of await listSessions({ store, view }, member)) {
    await readSession(store, { session_id, limit: 1 }).catch((error: unknown) => {
      findings.push({
        severity: "error", code: isFault(error) ? error.code : "session_unreadable", path: `sessions/${session_id}`, hint: "Reset the member to begin a new session.",
      });
    });
  }
  return findings;
}
