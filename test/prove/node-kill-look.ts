/** What must be true of a state file when its node has been killed again and again, and then was left to finish. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StateStore } from "@atoll-run/core";
import { openState } from "@atoll-run/sqlite";
import { LATE } from "./fixtures/kill-services.ts";
import { type Asked, isPoison, type Sender, wantsReceipt } from "./node-kill-senders.ts";

export interface LookOrder {
  readonly dir: string;
  /** Local name of the node. */
  readonly scope: string;
  readonly senders: readonly Sender[];
  readonly receipts: ReadonlyMap<string, number>;
}

/** Rows of the mailbox and the outbox, seen from outside of the process. */
export function waiting(dir: string): number {
  const db = new DatabaseSync(join(dir, "state.sqlite"), { readOnly: true, timeout: 1_000 });
  try {
    const { rows } = db.prepare("SELECT (SELECT count(*) FROM mail) + (SELECT count(*) FROM outbox) AS rows").get() as { rows: number };
    return rows;
  } finally {
    db.close();
  }
}

export function integrityOf(dir: string): readonly string[] {
  const db = new DatabaseSync(join(dir, "state.sqlite"));
  const { integrity_check: said } = db.prepare("PRAGMA integrity_check").get() as { integrity_check: string };
  db.close();
  return said === "ok" ? [] : [`integrity: ${said}`];
}

/** Sentences that are wrong. */
export async function lookAt(o: LookOrder): Promise<readonly string[]> {
  const wrong: string[] = [];
  {
    await using store = await openState({ dir: o.dir });
    const { rows, parcels } = await store.usage(o.scope);
    if (rows > 0) wrong.push(`${rows} rows are stranded`);
    if (parcels > 0) wrong.push(`${parcels} parcels are stranded`);
    const letters = await lettersOf(store, o.scope);
    const numbers = async (key: string): Promise<readonly number[]> =>
      JSON.parse((await store.get(o.scope, "kv:kv", key))?.value ?? "[]") as number[];
    if ((await numbers("wrong")).length > 0) wrong.push("a stream ended before it was whole");
    for (const sender of o.senders) {
      const [list, late] = [await numbers(sender.name), await numbers(sender.name + LATE)];
      for (const text of lookAtSender(sender, { list, late, letters, receipts: o.receipts })) wrong.push(`${sender.name}: ${text}`);
    }
  }
  return [...wrong, ...integrityOf(o.dir)];
}

/** Request ids of messages that were accepted and given up, without what redrives add to them → how often. */
async function lettersOf(store: StateStore, scope: string): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (let after = 0; ;) {
    const letters = await store.letters(scope, { after, limit: 1_000 });
    const last = letters.at(-1);
    if (last === undefined) return found;
    for (const { about, reason } of letters) {
      const { request_id: id } = JSON.parse(about) as { request_id: string };
      // A call whose deadline ran out has told its caller so: it asks again, and that is another message.
      if (reason !== "expired") found.set(id, (found.get(id) ?? 0) + 1);
    }
    after = last.seq;
  }
}

interface Found {
  readonly list: readonly number[];
  readonly late: readonly number[];
  readonly letters: ReadonlyMap<string, number>;
  readonly receipts: ReadonlyMap<string, number>;
}

function* lookAtSender({ name, asked }: Sender, { list, late, letters, receipts }: Found): Generator<string> {
  const places = new Map(list.map((n, place) => [n, place]));
  if (places.size < list.length) yield `an effect is there twice: ${twice(list)}`;
  if (new Set(late).size < late.length) yield `the effect of a redrive is there twice: ${twice(late)}`;
  const redriven = new Set(late);
  for (const one of asked) {
    const { n, kind, answeredAt, refused } = one;
    const id = `${name}-${n}`;
    const buried = letters.get(id) ?? 0;
    const effects = Number(places.has(n)) + Number(redriven.has(n));
    if (buried > 1) yield `${n}, a ${kind}, has ${buried} dead letters`;
    if (refused ? effects > 0 : answeredAt !== undefined && effects + Number(buried > 0) !== 1) {
      yield `${n}, a ${kind}${refused ? " that was refused" : ""}: ${effects} effects and ${buried} dead letters`;
    }
    if (answeredAt !== undefined && !isPoison(one) && buried > 0) yield `${n}, a ${kind}, was given up`;
    if ((receipts.get(id) ?? 0) !== (wantsReceipt(one) ? effects : 0)) yield `${n}, a ${kind}: ${receipts.get(id) ?? 0} receipts for ${effects} effects`;
  }
  yield* lookAtOrder(asked, places);
}

/** One after the other: what was answered before another was asked, and what needed to be asked but once. */
function* lookAtOrder(asked: readonly Asked[], places: ReadonlyMap<number, number>): Generator<string> {
  const handled = asked.filter(({ n }) => places.has(n));
  for (const [i, a] of handled.entries()) {
    // More than a window ahead everything earlier was answered.
    for (const b of handled.slice(i + 1, i + 50)) {
      const first = (a.answeredAt ?? Infinity) < b.firstAt || (a.times === 1 && b.times === 1);
      if (first && (places.get(a.n) ?? 0) > (places.get(b.n) ?? 0)) yield `${b.n}, a ${b.kind}, came before ${a.n}, a ${a.kind}`;
    }
  }
}

function twice(list: readonly number[]): string {
  return list.filter((n, i) => list.indexOf(n) < i).join(" ");
}
