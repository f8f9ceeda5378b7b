/**
 * Whether what a mob has in hand is what its ledger says (spec: mob 5.11).
 *
 * takes the live view and its ledger; gives what is not as it should be; promises to change nothing; refuses nothing; never holds up
 * the mob: it reads page by page, and compares with what was there when it began.
 */
import { isFault } from "@atoll-run/core";
import { memberScope } from "../ids.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { TURN_ROUTE } from "../member/turn-desk.ts";
import type { View } from "../roster/view.ts";
import { viewAt } from "../roster/view-at.ts";
import { listSessions, readSession } from "../sessions/sessions.ts";

export interface Finding {
  readonly severity: "error" | "warning";
  readonly code: string;
  /** What it is about: `members/editor`, `mailbox/editor/t_…`. */
  readonly path: string;
  readonly hint: string;
}

const PAGE = 500;
/** More are not told: they have one cause. */
const FINDINGS_MAX = 100;

export async function verifyMob({ ledger, view }: { readonly ledger: Ledger; readonly view: View }, signal: AbortSignal): Promise<readonly Finding[]> {
  const now = frozen(view);
  const findings = [...await ofFold(ledger, now, signal)];
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
  for (const { session_id } of await listSessions({ store, view }, member)) {
    await readSession(store, { session_id, limit: 1 }).catch((error: unknown) => {
      findings.push({
        severity: "error", code: isFault(error) ? error.code : "session_unreadable", path: `sessions/${session_id}`, hint: "Reset the member to begin a new session.",
      });
    });
  }
  return findings;
}
