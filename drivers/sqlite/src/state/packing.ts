/**
 * Commits on their way to the thread and back. Cloning objects of many fields costs more than SQLite needs for the row,
 * so batches travel as one text, their bodies in one block of bytes, and plain successes as one row of numbers.
 */
import type { Batch, Commit, StateOp } from "@atoll-run/core";
import type { CommitRequest, PackedAnswers, PackedCommits } from "./protocol.ts";

type Put = (body: Uint8Array) => number;

export function packCommits(requests: readonly CommitRequest[]): PackedCommits {
  const found: Uint8Array[] = [];
  let length = 0;
  const put: Put = (body) => {
    found.push(body);
    length += body.length;
    return body.length;
  };
  const text = JSON.stringify(requests.map(([id, , batch, bytes]) => [
    id, { ...batch, ops: batch.ops.map((op) => withoutBody(op, put)) }, bytes,
  ]));
  const bodies = new Uint8Array(length);
  let at = 0;
  for (const body of found) {
    bodies.set(body, at);
    at += body.length;
  }
  return { text, bodies };
}

function withoutBody(op: StateOp, put: Put): unknown {
  switch (op.op) {
    case "accept": return { ...op, mail: { ...op.mail, body: put(op.mail.body) } };
    case "remember": return { ...op, answer: { ...op.answer, reply: op.answer.reply === null ? null : put(op.answer.reply) } };
    case "bury": return { ...op, letter: { ...op.letter, body: put(op.letter.body) } };
    case "send": return { ...op, parcel: { ...op.parcel, body: put(op.parcel.body) } };
    default: return op;
  }
}

/** The other way; bodies are views of the block. */
export function unpackCommits({ text, bodies }: PackedCommits): CommitRequest[] {
  let at = 0;
  const take = (length: unknown): Uint8Array => bodies.subarray(at, at += length as number);
  return (JSON.parse(text) as [number, Batch, number][]).map(([id, batch, bytes]) => {
    for (const op of batch.ops) restoreBody(op as Restoring, take);
    return [id, "commit", batch, bytes];
  });
}

/** An op whose body is still a length. */
interface Restoring {
  readonly op: StateOp["op"];
  readonly mail: { body: unknown };
  readonly answer: { reply: unknown };
  readonly letter: { body: unknown };
  readonly parcel: { body: unknown };
}

function restoreBody(op: Restoring, take: (length: unknown) => Uint8Array): void {
  if (op.op === "accept") op.mail.body = take(op.mail.body);
  else if (op.op === "remember") op.answer.reply = op.answer.reply === null ? null : take(op.answer.reply);
  else if (op.op === "bury") op.letter.body = take(op.letter.body);
  else if (op.op === "send") op.parcel.body = take(op.parcel.body);
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

export function unpackAnswers({ plain, others }: PackedAnswers, hear: (id: number, commit: Commit) => void): void {
  for (let i = 0; i < plain.length; i += 2) hear(plain[i] as number, { ok: true, values: [plain[i + 1] as number] });
  for (const [id, commit] of others) hear(id, commit);
}
