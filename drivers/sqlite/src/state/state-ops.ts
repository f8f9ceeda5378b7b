/** The ops of a batch as statements. One that is refused throws `Refused`; whoever began the batch takes it back. */
import { PRIORITIES, type Refusal, type RequestName, type StateOp } from "@atoll-run/core";
import type { Compiled } from "./compiled.ts";
import { toAnswer } from "./rows.ts";

export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.why);
    this.refusal = refusal;
  }
}

type Of<Name extends StateOp["op"]> = Extract<StateOp, { op: Name }>;

export interface OpParts {
  readonly sql: Compiled;
  /** The next number of the store. */
  nextSeq(): number;
}

/** What an op is applied in: number of the scope, the owner's time. */
export interface OpPlace {
  readonly scope: number;
  readonly at_ms: number;
}

/** Applies one op; gives its value. `attach` is not among them: it is the store's. */
export type ApplyOp = (op: Exclude<StateOp, Of<"attach">>, place: OpPlace) => number;

type Table<Name extends StateOp["op"]> = { [One in Name]: (op: Of<One>, place: OpPlace) => number };
type MailOp = "accept" | "lease" | "release" | "settle" | "remember" | "forget";

export function createOps(parts: OpParts): ApplyOp {
  const apply: Table<Exclude<StateOp["op"], "attach">> = { ...mailOps(parts), ...otherOps(parts) };
  return (op, place) => (apply[op.op] as (one: StateOp, at: OpPlace) => number)(op, place);
}

function mailOps({ sql, nextSeq }: OpParts): Table<MailOp> {
  return {
    accept: ({ mail, lease_until_at_ms: until }, { scope, at_ms }) => {
      const seq = nextSeq();
      const { sender, route, request_id } = mail;
      const done = sql.run(
        "accept", seq, scope, sender, route, request_id, mail.hash, PRIORITIES[mail.priority], mail.key, mail.about,
        mail.accepted_at_ms, mail.expires_at_ms, until ?? mail.ready_at_ms, until === null ? 0 : 1, mail.body, at_ms,
      );
      if (done === 0) refuseDuplicate(sql, scope, mail);
      return seq;
    },
    lease: ({ seq, fence, until_at_ms, expires_at_ms: end }, { scope }) => {
      if (sql.run("lease", until_at_ms, seq, scope, fence) === 0) throw new Refused({ why: "stale_row", seq });
      if (end !== undefined) sql.run("expire", end, seq);
      return fence + 1;
    },
    release: ({ seq, fence, ready_at_ms, parked, counted, expires_at_ms: end }, { scope }) => {
      const done = sql.run("release", ready_at_ms, parked, counted ? 1 : 0, seq, scope, fence);
      if (done === 0) throw new Refused({ why: "stale_row", seq });
      if (end !== undefined) sql.run("expire", end, seq);
      return fence + 1;
    },
    settle: ({ seq, fence }, { scope }) => {
      const row = sql.returned("settle", seq, scope, fence);
      if (row === undefined) throw new Refused({ why: "stale_row", seq });
      const [key = null, head] = row;
      if (key !== null && head === 1) sql.run("promote", scope, key);
      return 0;
    },
    remember: ({ answer }, { scope, at_ms }) => {
      const { sender, route, request_id, hash, outcome, reply, done_at_ms, forget_at_ms } = answer;
      const done = sql.run(
        "remember", scope, sender, route, request_id, hash, outcome, reply, done_at_ms, forget_at_ms, at_ms,
      );
      if (done === 0) refuseDuplicate(sql, scope, answer);
      return 0;
    },
    forget: ({ limit }, { scope, at_ms }) => sql.run("forget", scope, at_ms, limit),
  };
}

function otherOps({ sql, nextSeq }: OpParts): Table<Exclude<StateOp["op"], "attach" | MailOp>> {
  return {
    bury: ({ letter }, { scope }) => {
      const seq = nextSeq();
      const { reason, accepted, sender, route, about, dead_at_ms, body } = letter;
      sql.run("bury", seq, scope, reason, accepted ? 1 : 0, sender, route, about, dead_at_ms, body);
      return seq;
    },
    mark: ({ seq, redriving, about }, { scope }) => {
      if (sql.run("mark", redriving ? 1 : 0, about, seq, scope) === 0) throw new Refused({ why: "not_found", seq });
      return 0;
    },
    purge: ({ seq }, { scope }) => sql.run("purge", seq, scope),
    send: ({ parcel }, { scope }) => {
      const seq = nextSeq();
      const { to, kind, about, send_at_ms, expires_at_ms, body } = parcel;
      sql.run("send", seq, scope, to, kind, about, send_at_ms, expires_at_ms, body);
      return seq;
    },
    resend: ({ seq, send_at_ms }, { scope }) => {
      if (sql.run("resend", send_at_ms, seq, scope) === 0) throw new Refused({ why: "not_found", seq });
      return 0;
    },
    sent: ({ seq }, { scope }) => sql.run("sent", seq, scope),
    put: ({ space, key, value, if_version }, { scope }) => {
      if (if_version !== null) checkVersion(sql, { scope, space, key }, if_version);
      if (value === null) {
        sql.run("unput", scope, space, key);
        return 0;
      }
      const version = nextSeq();
      sql.run("put", scope, space, key, version, value);
      return version;
    },
    check: ({ space, key, version }, { scope }) => checkVersion(sql, { scope, space, key }, version),
    append: ({ journal, body }, { scope, at_ms }) => {
      const seq = nextSeq();
      sql.run("append", seq, journal, scope, at_ms, body);
      return seq;
    },
    trim: ({ journal, above = 0, below, limit }) => sql.run("trim", journal, above, below, limit),
  };
}

function refuseDuplicate(sql: Compiled, scope: number, { sender, route, request_id }: RequestName): never {
  const request = [scope, request_id, sender, route] as const;
  const row = sql.row("rowOf", ...request);
  if (row !== undefined) {
    throw new Refused({ why: "duplicate", seq: row[0] as number, hash: row[1] as string, answer: null });
  }
  const known = sql.row("answerOf", ...request);
  if (known === undefined) throw new Error("a request was refused that nobody made");
  const answer = toAnswer(known);
  throw new Refused({ why: "duplicate", seq: 0, hash: answer.hash, answer });
}

interface DocumentName {
  readonly scope: number;
  readonly space: string;
  readonly key: string;
}

function checkVersion(sql: Compiled, { scope, space, key }: DocumentName, version: number): number {
  const present = sql.row("version", scope, space, key)?.[0] as number | undefined ?? 0;
  if (present !== version) throw new Refused({ why: "moved", space, key, version: present });
  return present;
}
