/** What an earlier process has left (spec: node 3.1 step 2, 4.3, 4.9, 4.14): attach, and look at every row once. */
import { nodeError, type MailHead } from "@atoll-run/core";
import { principalOf } from "../mailbox/dead-letter-admin.ts";
import { Message } from "../mailbox/message.ts";
import { Row, type RowAbout } from "../mailbox/row.ts";
import { Seen } from "../mailbox/seen.ts";
import { unknownRoute } from "../mailbox/intake.ts";
import { MAILBOX_SPACE, WINDOW_KEY } from "./last-writes.ts";
import type { NodeInbox } from "./node-inbox.ts";
import { expired, failure, type Verdict } from "./verdict.ts";

export interface Recovered {
  readonly rows: number;
  /** Found running: their process died, or gave them no time. */
  readonly suspects: number;
  readonly expired: number;
  /** Given up: they ran too often, or must not run again. */
  readonly buried: number;
}

/** Rows of one page. */
const PAGE = 1_000;

/** Throws `node.unavailable`, or the fault of the store. */
export async function recover(inbox: NodeInbox): Promise<Recovered> {
  const { parts: { store, scope }, limits: { mailbox } } = inbox;
  const attach = { scope, epoch: null, at_ms: inbox.now(), ops: [{ op: "attach" }] } as const;
  const attached = await store.commit(attach, { timeoutMs: mailbox.commitMsMax });
  if (!attached.ok) throw nodeError("node.unavailable", `the store refuses to attach ${scope}: ${attached.refusal.why}`);
  inbox.commits.epoch = attached.values[0] ?? 0;
  await countKept(inbox);
  const counts = { rows: 0, suspects: 0, expired: 0, buried: 0 };
  for (let after = 0; ;) {
    const heads = await store.rows(scope, { after, limit: PAGE });
    const last = heads.at(-1);
    if (last === undefined) break;
    for (const head of heads) take(inbox, head, counts);
    after = last.seq;
  }
  await inbox.commits.settled();
  return counts;
}

/** Answers and letters of before, and how long the last of the answers may count. */
async function countKept(inbox: NodeInbox): Promise<void> {
  const { parts: { store, scope }, limits: { mailbox }, now, room, retention, frames } = inbox;
  const usage = await store.usage(scope);
  const nowMs = now();
  room.remember(usage.answers, usage.answer_bytes);
  const window = await store.get(scope, MAILBOX_SPACE, WINDOW_KEY);
  inbox.windowMs = Number(window?.value ?? 0);
  const widestMs = usage.answers === 0 ? 0 : inbox.windowMs || mailbox.dedupTtlMsMax;
  inbox.seen = new Seen({ namesMax: mailbox.dedupEntriesMax, blindUntilMs: widestMs === 0 ? 0 : nowMs + widestMs });
  if (usage.answers > 0) retention.note(nowMs);
  for (let after = 0; ;) {
    const letters = await store.letters(scope, { after, limit: PAGE });
    const last = letters.at(-1);
    if (last === undefined) break;
    for (const letter of letters) {
      inbox.letters.add(letter.reason, 1);
      if (letter.redriving) inbox.letters.redriven(letter.seq, letter.reason);
      if (letter.accepted) room.bury(1, letter.body.length);
      else frames.known(letter);
    }
    after = last.seq;
  }
}

type Counts = { -readonly [Name in keyof Recovered]: number };

function take(inbox: NodeInbox, head: MailHead, counts: Counts): void {
  const { kind, proof, letter } = JSON.parse(head.about) as RowAbout;
  const principal = principalOf(head.sender, proof);
  const info = inbox.parts.workload().route(head.route, kind);
  const policy = inbox.policies.of(kind, head.route, info?.policy ?? {});
  const message = new Message({
    order: inbox.nextOrder(), kind, principal: principal ?? { kind: "local" }, sender: head.sender, route: head.route,
    requestId: head.request_id, hash: head.hash, high: head.priority === "high", key: head.key, policy, bytes: head.bytes,
    acceptedAtMs: head.accepted_at_ms, expiresAtMs: head.expires_at_ms ?? Infinity, lane: "mailbox", letter,
  });
  message.attempts = head.attempts;
  message.crashes = head.crashes;
  message.recovered = true;
  message.parked = head.parked ?? undefined;
  counts.rows += 1;
  if (head.crashes > 0) counts.suspects += 1;
  const verdict = principal === undefined ? failure(kind, nodeError("node.decode_failure", "the sender cannot be read"), "envelope_invalid")
    : info === undefined ? failure(kind, unknownRoute(head.route), "unknown_route") : verdictOn(inbox, message);
  if (verdict !== undefined) counts[verdict.burial?.reason === "expired" ? "expired" : "buried"] += 1;
  const row = Row.stored(inbox.rowParts(message), head);
  inbox.place(message, row, verdict === undefined ? readyAt(inbox, head) : Infinity);
  if (verdict !== undefined) inbox.dispatch.end(message, verdict);
}

/** What must not run any more. */
function verdictOn({ now, limits }: NodeInbox, { kind, policy, crashes, expiresAtMs }: Message): Verdict & { is: "end" } | undefined {
  if (expiresAtMs <= now()) return expired(kind);
  if (crashes > 0 && policy.redeliver === "never") {
    const fault = nodeError("node.internal", "the process died while it ran, and its route must not run twice", { uncertain: true });
    return failure(kind, fault, "uncertain");
  }
  if (crashes < limits.dispatch.crashesMax) return undefined;
  return failure(kind, nodeError("node.internal", `the process died ${crashes} times while it ran`), "crashed");
}

/** A suspect waits longer from one crash to the next. */
function readyAt({ now, limits }: NodeInbox, { crashes, ready_at_ms, parked }: MailHead): number {
  if (crashes < 2) return parked === null || ready_at_ms < Number.MAX_SAFE_INTEGER ? ready_at_ms : Infinity;
  const { crashBackoffMs, crashBackoffMsMax } = limits.dispatch;
  return now() + Math.min(crashBackoffMsMax, crashBackoffMs * 2 ** (crashes - 2));
}
