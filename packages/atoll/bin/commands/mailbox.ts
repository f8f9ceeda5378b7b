/** `atoll mailbox`: what a node has accepted and not finished. */
import type { Json } from "@atoll-run/core";
import type { MailView } from "@atoll-run/node/internal";
import { askAdmin, seqWord } from "../tier/admin-door.ts";
import { age, answer, columns, noWords, oneWord, runVerb, type VerbCall } from "../tier/verb.ts";

export function mailbox(args: readonly string[]): Promise<number> {
  return runVerb("mailbox", args, { ls, show, release, drop });
}

async function ls(call: VerbCall): Promise<number> {
  noWords(call);
  const limit = call.flag("limit")?.text;
  const { rows } = await askAdmin<{ rows: readonly MailView[] }>(call, "mailbox.ls", { limit: limit === undefined ? undefined : Number(limit) });
  const lines = rows.map(({ seq, age_ms, kind, route, sender, key, attempts, crashes, state, until_ms }) => [
    String(seq), age(age_ms), kind, route, sender, key ?? "-", `${attempts}/${crashes}`,
    until_ms === undefined ? state : `${state} ${age(until_ms - Date.now())}`,
  ]);
  const head = ["seq", "age", "kind", "route", "sender", "key", "attempts/crashes", "state"];
  return await answer(call, { rows }, rows.length === 0 ? "the mailbox is empty" : columns(head, lines));
}

async function show(call: VerbCall): Promise<number> {
  const row = await askAdmin<object>(call, "mailbox.show", { seq: seqWord(oneWord(call, "SEQ")) });
  return await answer(call, row, JSON.stringify(row, null, 2));
}

async function release(call: VerbCall): Promise<number> {
  const seq = seqWord(oneWord(call, "SEQ"));
  const done = await askAdmin<Json>(call, "mailbox.release", { seq });
  return await answer(call, done as object, `row ${seq} may run now`);
}

async function drop(call: VerbCall): Promise<number> {
  const seq = seqWord(oneWord(call, "SEQ"));
  const done = await askAdmin<Json>(call, "mailbox.drop", { seq });
  return await answer(call, done as object, `row ${seq} is a dead letter now`);
}
