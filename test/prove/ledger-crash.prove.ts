/**
 * SIGKILL at random moments while a program appends to a ledger from many sources, twice in one folder. Then it is opened again:
 * what was acknowledged is there once and at its place, batches are whole, nobody's entries have a hole, cursors go on, and
 * the view of snapshot and tail is that of all entries.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import type { Entry, Ledger } from "@atoll-run/mob";
import { openState } from "@atoll-run/sqlite";
import { killAfterLines } from "@atoll-run/testkit/internal";
import { roundSeed, type Proof } from "../../tools/prove/proof.ts";
import { openHouse } from "./fixtures/ledger-house.ts";

const FAILURES_MAX = 10;
const LINES_MAX = 400;
const RUNS = ["x", "y"] as const;
const program = fileURLToPath(new URL("./fixtures/ledger-writer.ts", import.meta.url));

export const proof: Proof = {
  issue: "D",
  title: "after kill -9 every acknowledged entry of the ledger is there once, no number is used twice, and its view is that of all entries",
  sharePercent: 10,
  full: 400,
  async run({ seed, from, count, deadlineAtMs, onRound, signal }) {
    const root = mkdtempSync(join(tmpdir(), "atoll-ledger-crash-"));
    const failures: string[] = [];
    let rounds = 0;
    try {
      while (rounds < count && Date.now() < deadlineAtMs && !signal.aborted && failures.length < FAILURES_MAX) {
        const wrong = await runRound(root, seed, from + rounds);
        if (wrong !== undefined) failures.push(`round ${from + rounds}: ${wrong}`);
        rounds += 1;
        onRound();
      }
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
    return { rounds, failures };
  },
};

async function runRound(root: string, seed: number, round: number): Promise<string | undefined> {
  const dir = mkdtempSync(join(root, `${round}-`));
  const lines: string[] = [];
  for (const [at, run] of RUNS.entries()) {
    const draw = roundSeed(seed, round * RUNS.length + at) / 2 ** 32;
    lines.push(...await killAfterLines([program, dir, run], 1 + Math.floor(draw * LINES_MAX)));
  }
  await using store = await openState({ dir });
  const { ledger, writer, roster } = await openHouse(store);
  const entries: Entry[] = [];
  await ledger.replay(0, (entry) => void entries.push(entry));
  const wrong = lost(lines, entries) ?? notWhole(entries) ?? await goesOn(lines, { ledger, entries });
  if (wrong !== undefined) return wrong;
  if (!isDeepStrictEqual(roster.view.keep(), (await roster.viewAt(ledger.head)).keep())) return "snapshot and tail are not what all entries make";
  const [next] = await ledger.append(writer, [{ kind: "note", source: "after", data: {} }]);
  const used = Math.max(...entries.map(({ seq }) => seq), ...lines.flatMap((line) => line.startsWith("append") ? line.split(" ").slice(3).map(Number) : []));
  await roster[Symbol.asyncDispose]();
  await ledger[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
  return (next?.seq ?? 0) > used ? undefined : `the number ${next?.seq} was used before`;
}

/** What was told is there, under its number, and nothing is there twice. */
function lost(lines: readonly string[], entries: readonly Entry[]): string | undefined {
  const places = new Map(entries.map((entry) => [nameOf(entry), entry.seq]));
  if (places.size !== entries.length) return "an entry is there twice";
  if (entries.some(({ seq }, at) => at > 0 && seq <= (entries[at - 1] as Entry).seq)) return "the numbers do not rise";
  for (const line of lines) {
    const [what = "", source = "", n = "", ...seqs] = line.split(" ");
    if (what === "append") {
      const gone = seqs.findIndex((seq, i) => places.get(`${source}/${n}/${i}`) !== Number(seq));
      if (gone >= 0) return `entry ${gone} of batch ${n} of ${source} is not at ${seqs[gone]}`;
    } else if (what === "noted" && !places.has(`${source}/${n}/0`)) return `note ${n} of ${source} was lost`;
  }
  return undefined;
}

/** All of a batch or nothing, and of each source everything up to its last. */
function notWhole(entries: readonly Entry[]): string | undefined {
  const due = new Map<string, string>();
  for (const { source, data } of entries) {
    const { n, i, size } = data as unknown as Place;
    const expected = due.get(source) ?? "0/0";
    if (`${n}/${i}` !== expected) return `${source} goes on with ${n}/${i}, not with ${expected}`;
    due.set(source, i + 1 < size ? `${n}/${i + 1}` : `${n + 1}/0`);
  }
  const [half] = [...due].find(([, next]) => !next.endsWith("/0")) ?? [];
  return half === undefined ? undefined : `the last batch of ${half} is half there`;
}

/** From the last place that was told every later entry comes once. */
async function goesOn(lines: readonly string[], { ledger, entries }: { readonly ledger: Ledger; readonly entries: readonly Entry[] }): Promise<string | undefined> {
  const cursor = lines.findLast((line) => line.startsWith("cursor"))?.split(" ")[1];
  if (cursor === undefined) return undefined;
  const wanted = entries.filter(({ seq }) => seq > Number(cursor.split("-")[1])).map(({ seq }) => seq);
  const ended = new AbortController();
  const got: number[] = [];
  if (wanted.length === 0) return undefined;
  for await (const one of ledger.subscribe({}, { after: cursor, signal: ended.signal })) {
    if (!("seq" in one)) return "a gap was told where nothing was pruned";
    got.push(one.seq);
    if (got.length === wanted.length) break;
  }
  return isDeepStrictEqual(got, wanted) ? undefined : `the reader at ${cursor} did not get what came later`;
}

interface Place {
  readonly n: number;
  readonly i: number;
  readonly size: number;
}

function nameOf({ source, data }: Entry): string {
  const { n, i } = data as unknown as Place;
  return `${source}/${n}/${i}`;
}
