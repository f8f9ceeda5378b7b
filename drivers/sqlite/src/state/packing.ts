/**
 * Commits on their way to the thread and back. Cloning objects of many fields costs more than SQLite needs for the row,
 * so batches travel as one text, their bodies in one block of bytes, and plain successes as one row of numbers. What each
 * message writes goes without the names of its fields.
 */
import type { Answer, Batch, Commit, NewMail, StateOp } from "@atoll-run/core";
import type { CommitRequest, PackedAnswers, PackedCommits } from "./protocol.ts";

type Put = (body: Uint8Array) => number;
type Take = (length: number) => Uint8Array;

/** An op as its values; one that is seldom as an object, with the length of its body in its place. */
type PackedOp =
  | readonly ["a", PackedMail, lease_until_at_ms: number | null]
  | readonly ["r", PackedAnswer]
  | readonly ["s", seq: number, fence: number]
  | StateOp;
type PackedMail = readonly [
  sender: string, route: string, request_id: string, hash: string, priority: NewMail["priority"], key: string | null,
  body: number, about: string, accepted_at_ms: number, expires_at_ms: number | null, ready_at_ms: number,
];
type PackedAnswer = readonly [
  sender: string, route: string, request_id: string, hash: string, outcome: string, reply: number | null,
  done_at_ms: number, forget_at_ms: number,
];
type PackedRequest = readonly [
  id: number, bytes: number, scope: string, epoch: number | null, at_ms: number, ops: readonly PackedOp[],
];

export function packCommits(requests: readonly CommitRequest[]): PackedCommits {
  const found: Uint8Array[] = [];
  let length = 0;
  const put: Put = (body) => {
    found.push(body);
    length += body.length;
    return body.length;
  };
  const text = JSON.stringify(requests.map(([id, , { scope, epoch, at_ms, ops }, bytes]): PackedRequest => [
    id, bytes, scope, epoch, at_ms, ops.map((op) => packOp(op, put)),
  ]));
  const bodies = new Uint8Array(length);
  let at = 0;
  for (const body of found) {
    bodies.set(body, at);
    at += body.length;
  }
  return { text, bodies };
}

function packOp(op: StateOp, put: Put): PackedOp {
  switch (op.op) {
    case "accept": return ["a", packMail(op.mail, put), op.lease_until_at_ms];
    case "remember": return ["r", packAnswer(op.answer, put)];
    case "settle": return ["s", op.seq, op.fence];
    case "bury": return { ...op, letter: withLength(op.letter, put) };
    case "send": return { ...op, parcel: withLength(op.parcel, put) };
    default: return op;
  }
}

function packMail(mail: NewMail, put: Put): PackedMail {
  const { sender, route, request_id, hash, priority, key, body, about, accepted_at_ms, expires_at_ms, ready_at_ms } = mail;
  return [sender, route, request_id, hash, priority, key, put(body), about, accepted_at_ms, expires_at_ms, ready_at_ms];
}

function packAnswer({ sender, route, request_id, hash, outcome, reply, done_at_ms, forget_at_ms }: Answer, put: Put): PackedAnswer {
  return [sender, route, request_id, hash, outcome, reply === null ? null : put(reply), done_at_ms, forget_at_ms];
}

/** Only for the way: its body is a number there. */
function withLength<T extends { readonly body: Uint8Array }>(one: T, put: Put): T {
  return { ...one, body: put(one.body) as unknown };
}

/** The other way; bodies are views of the block. */
export function unpackCommits({ text, bodies }: PackedCommits): CommitRequest[] {
  let at = 0;
  const take: Take = (length) => bodies.subarray(at, at += length);
  return (JSON.parse(text) as PackedRequest[]).map(([id, bytes, scope, epoch, at_ms, packed]) => {
    const batch: Batch = { scope, epoch, at_ms, ops: packed.map((op) => unpackOp(op, take)) };
    return [id, "commit", batch, bytes];
  });
}

function unpackOp(packed: PackedOp, take: Take): StateOp {
  if (isSeldom(packed)) {
    if (packed.op === "bury") restoreBody(packed.letter, take);
    else if (packed.op === "send") restoreBody(packed.parcel, take);
    return packed;
  }
  switch (packed[0]) {
    case "a": return { op: "accept", mail: unpackMail(packed[1], take), lease_until_at_ms: packed[2] };
    case "r": return { op: "remember", answer: unpackAnswer(packed[1], take) };
    case "s": return { op: "settle", seq: packed[1], fence: packed[2] };
  }
}

function isSeldom(packed: PackedOp): packed is StateOp {
  return !Array.isArray(packed);
}

function unpackMail(packed: PackedMail, take: Take): NewMail {
  const [sender, route, request_id, hash, priority, key, body, about, accepted_at_ms, expires_at_ms, ready_at_ms] = packed;
  return { sender, route, request_id, hash, priority, key, body: take(body), about, accepted_at_ms, expires_at_ms, ready_at_ms };
}

function unpackAnswer(packed: PackedAnswer, take: Take): Answer {
  const [sender, route, request_id, hash, outcome, reply, done_at_ms, forget_at_ms] = packed;
  return { sender, route, request_id, hash, outcome, reply: reply === null ? null : take(reply), done_at_ms, forget_at_ms };
}

function restoreBody(one: object, take: Take): void {
  const restored = one as { body: unknown };
  restored.body = take(restored.body as number);
}

export function packAnswers(group: readonly CommitRequest[], commits: readonly Commit[]): PackedAnswers {
  const plain: number[] = [];
  const others: [number, Commit][] = [];
  for (const [i, commit] of commits.entries()) {
    const [id] = group[i] as CommitRequest;
    if (commit.ok && commit.values.length === 1) plain.push(id, commit.values[0] as number);
    else others.push([id, commit]);
  }
  return { plain: Float64Array.from(plain), others };
}

/** In the order of their numbers, which is that in which they were asked for and done. */
export function unpackAnswers({ plain, others }: PackedAnswers, hear: (id: number, commit: Commit) => void): void {
  let at = 0;
  const plainBefore = (end: number): void => {
    for (; at < plain.length && (plain[at] as number) < end; at += 2) hear(plain[at] as number, { ok: true, values: [plain[at + 1] as number] });
  };
  for (const [id, commit] of others) {
    plainBefore(id);
    hear(id, commit);
  }
  plainBefore(Infinity);
}
