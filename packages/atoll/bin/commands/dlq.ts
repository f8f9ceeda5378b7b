/** `atoll dlq`: dead letters, what a node could not deliver. */
import type { Json } from "@atoll-run/core";
import type { LetterStats, LetterView, Redriven } from "@atoll-run/node/internal";
import { inherit, flushInherited } from "../../src/compose/inherit.ts";
import { readDuration } from "../config/units.ts";
import { EXIT } from "../exit.ts";
import { askAdmin, seqWord } from "../tier/admin-door.ts";
import { age, answer, columns, misuse, noWords, oneWord, runVerb, type VerbCall } from "../tier/verb.ts";

export function dlq(args: readonly string[]): Promise<number> {
  return runVerb("dlq", args, { list, show, stats, redrive, purge });
}

type Filter = Readonly<Record<string, Json | undefined>>;

function filterOf(call: VerbCall): Filter {
  const since = call.flag("since");
  const read = since === undefined ? undefined : readDuration(since.text);
  if (read !== undefined && !read.ok) throw misuse("--since", read.problem);
  return {
    reason: call.flag("reason")?.text, route: call.flag("route")?.text, sender: call.flag("sender")?.text, trace: call.flag("trace")?.text,
    since_ms: read === undefined ? undefined : Date.now() - read.value,
  };
}

function numberOf(call: VerbCall, flag: string): number | undefined {
  const text = call.flag(flag)?.text;
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) throw misuse(`--${flag}`, `'${text}' is not a number above 0`);
  return value;
}

async function list(call: VerbCall): Promise<number> {
  noWords(call);
  const found = await askAdmin<{ letters: readonly LetterView[]; next: number | null }>(
    call, "dlq.list", { ...filterOf(call), limit: numberOf(call, "limit") });
  const lines = found.letters.map(({ seq, dead_at_ms, reason, route, sender, text, redrives }) =>
    [String(seq), age(Date.now() - dead_at_ms), reason, route ?? "-", sender ?? "-", String(redrives), text.split("\n")[0] ?? ""]);
  const head = ["seq", "age", "reason", "route", "sender", "redrives", "text"];
  const more = found.next === null ? "" : `\nmore: there are letters behind ${found.next}; narrow the filter or raise --limit`;
  return await answer(call, found, lines.length === 0 ? "there are no dead letters" : columns(head, lines) + more);
}

async function show(call: VerbCall): Promise<number> {
  const letter = await askAdmin<{ bytes_base64: string }>(call, "dlq.show", { seq: seqWord(oneWord(call, "SEQ")) });
  if (call.flag("raw") === undefined) return await answer(call, letter, JSON.stringify(letter, null, 2));
  await inherit("stdout", Buffer.from(letter.bytes_base64, "base64"));
  await flushInherited();
  return EXIT.ok;
}

async function stats(call: VerbCall): Promise<number> {
  noWords(call);
  const found = await askAdmin<LetterStats>(call, "dlq.stats", {});
  const rows = Object.entries(found.by_reason).map(([reason, count]) => [reason, String(count)]);
  return await answer(call, found, found.letters === 0 ? "there are no dead letters" : columns(["reason", "letters"], rows));
}

async function redrive(call: VerbCall): Promise<number> {
  const done = await askAdmin<Redriven>(call, "dlq.redrive", {
    ...filterOf(call), seqs: call.words.map(seqWord), rate: numberOf(call, "rate"), dry_run: isDry(call),
  });
  const skipped = done.skipped.map(({ seq, why }) => `\n  left ${seq}: ${why}`).join("");
  return await answer(call, done, `${isDry(call) ? "would redrive" : "redriven"}: ${done.redriven}${skipped}`);
}

async function purge(call: VerbCall): Promise<number> {
  const isAll = call.words.length === 0 && Object.values(filterOf(call)).every((value) => value === undefined);
  if (isAll && !isDry(call)) throw misuse("purge", "names nothing", "give numbers or a filter, such as --since 3650d for all");
  const done = await askAdmin<{ purged: number }>(call, "dlq.purge", { ...filterOf(call), seqs: call.words.map(seqWord), dry_run: isDry(call) });
  return await answer(call, done, `${isDry(call) ? "would forget" : "forgotten"}: ${done.purged}`);
}

function isDry(call: VerbCall): boolean {
  return call.flag("dry-run") !== undefined;
}
