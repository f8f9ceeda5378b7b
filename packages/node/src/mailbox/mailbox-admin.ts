/**
 * The mailbox for people (spec: node 10.2): rows as they are, let go or given up. On a running node through its inbox;
 * on a store without one directly, for whoever holds the lock of the folder.
 */
import { nodeError, type Mail, type MailHead, type StateOp, type StateStore } from "@atoll-run/core";
import { aboutHead } from "./letters.ts";
import type { RowAbout } from "./row.ts";

/** A row without its body. Times are milliseconds since 1970. */
export interface MailView {
  readonly seq: number;
  readonly kind: "call" | "tell";
  /** Text of the sender's id, or `local`. */
  readonly sender: string;
  /** Absent: this process. */
  readonly proof?: "key" | "bearer";
  readonly route: string;
  readonly request_id: string;
  readonly key: string | null;
  readonly class: "high" | "normal";
  readonly bytes: number;
  readonly attempts: number;
  readonly crashes: number;
  readonly accepted_at_ms: number;
  readonly age_ms: number;
  readonly expires_at_ms: number | null;
  readonly state: "running" | "ready" | "waiting" | "parked";
  /** End of the lease, or of the wait. */
  readonly until_ms?: number;
  /** The wake-up that it waits for. */
  readonly parked?: string;
  /** The dead letter that it came from. */
  readonly letter?: number;
}

export interface MailboxAdmin {
  /** From `after` on (0 = the oldest), at most `limit` (100), by `seq`. */
  ls(o?: { readonly after?: number; readonly limit?: number }): Promise<readonly MailView[]>;
  /** With the envelope as it is stored; undefined when there is none. */
  show(seq: number): Promise<MailView & { readonly body: Uint8Array } | undefined>;
  /** Does not wait for its time any longer. Throws `node.not_found`, `node.wrong_state` when it runs. */
  release(seq: number): Promise<void>;
  /** Gives it up: it becomes a dead letter `dropped`. Throws `node.not_found`, `node.wrong_state` when it runs. */
  drop(seq: number, o?: DropOptions): Promise<void>;
}

export interface DropOptions {
  /** Done in the same commit. */
  readonly also?: readonly StateOp[];
}

/** How a running node does it. */
export interface LiveMailbox {
  release(seq: number): void;
  drop(seq: number, o: DropOptions): Promise<void>;
}

export interface MailboxAdminParts {
  readonly store: StateStore;
  readonly scope: string;
  readonly now: () => number;
  /** Absent: no node runs on this store. */
  readonly live?: LiveMailbox;
}

const LS_MAX = 100;

export function createMailboxAdmin({ store, scope, now, live }: MailboxAdminParts): MailboxAdmin {
  const find = async (seq: number): Promise<Mail> => {
    const row = await store.mail(scope, seq);
    if (row === undefined) throw noRow(seq);
    return row;
  };
  const commit = async (seq: number, ops: Parameters<StateStore["commit"]>[0]["ops"]): Promise<void> => {
    const done = await store.commit({ scope, epoch: null, at_ms: now(), ops });
    if (!done.ok) throw noRow(seq);
  };
  return {
    ls: async ({ after = 0, limit = LS_MAX } = {}) => {
      const rows = await store.rows(scope, { after, limit });
      return rows.map((row) => toView(row, now()));
    },
    show: async (seq) => {
      const row = await store.mail(scope, seq);
      return row === undefined ? undefined : { ...toView({ ...row, bytes: row.body.length }, now()), body: row.body };
    },
    release: async (seq) => {
      if (live !== undefined) return live.release(seq);
      const { fence } = await find(seq);
      await commit(seq, [{ op: "release", seq, fence, ready_at_ms: 0, parked: null, counted: false }]);
    },
    drop: async (seq, { also = [] } = {}) => {
      if (live !== undefined) return await live.drop(seq, { also });
      const row = await find(seq);
      const letter = {
        reason: "dropped", accepted: true, sender: row.sender, route: row.route, body: row.body, dead_at_ms: now(),
        about: JSON.stringify(aboutHead(row, DROPPED)),
      };
      await commit(seq, [{ op: "settle", seq, fence: row.fence }, { op: "bury", letter }, ...also]);
    },
  };
}

/** Its code frees the name: whoever asks again is heard. */
export const DROPPED = nodeError("node.cancelled", "a person has given it up");

export function noRow(seq: number): Error {
  return nodeError("node.not_found", `there is no row ${seq} in the mailbox`);
}

export function rowRuns(seq: number): Error {
  return nodeError("node.wrong_state", `row ${seq} is running`, { hint: "Wait for its end, or for its time limit." });
}

function toView(row: MailHead, nowMs: number): MailView {
  const { seq, sender, route, request_id, key, bytes, attempts, crashes, accepted_at_ms, expires_at_ms, ready_at_ms } = row;
  const { kind, proof, letter } = JSON.parse(row.about) as RowAbout;
  const waits = !row.leased && ready_at_ms > nowMs;
  return {
    seq, kind, sender, ...proof === undefined ? {} : { proof }, route, request_id, key,
    class: row.priority, bytes, attempts, crashes, accepted_at_ms, age_ms: Math.max(0, nowMs - accepted_at_ms), expires_at_ms,
    state: row.leased ? "running" : row.parked !== null ? "parked" : waits ? "waiting" : "ready",
    ...row.leased || waits && ready_at_ms < Number.MAX_SAFE_INTEGER ? { until_ms: ready_at_ms } : {},
    ...row.parked === null ? {} : { parked: row.parked }, ...letter === undefined ? {} : { letter },
  };
}
