/**
 * SIGKILL at random moments while a program appends to a ledger from many sources and takes its oldest entries away, twice in one
 * folder. Then it is opened again: what was acknowledged and not pruned is there once and at its place, entries of audit all are,
 * batches are whole, nobody's entries have a hole, a filter finds all that it is for, cursors go on or are told of the gap, and the view of snapshot and tail is that of
 * the view where history begins with all entries since.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import type { Entry, Gap, Ledger } from "@atoll-run/mob";
import { openState } from "@atoll-run/sqlite";
import { killAfterLines } from "@atoll-run/testkit/internal";
import type { Proof } from "../../tools/prove/proof.ts";
import { openHouse } from "./fixtures/ledger-house.ts";
import { doRounds, type Round } from "./rounds.ts";

const LINES_MAX = 400;
const RUNS = ["x", "y"] as const;
/** In so many rounds something was pruned, or the proof proves nothing of it. */
const ROUNDS_UNTIL_PRUNED = 10;
/** Of its notes, one in so many is of audit. */
const AUDIT_EVERY = 7;
const program = fileURLToPath(new URL("./fixtures/ledger-writer.ts", import.meta.url));

export const proof: Proof = {
  issue: "D",
  title: "after kill -9, in the middle of a pruning too, every acknowledged entry of the ledger is there once, no number is used twice, and its view is that of all entries",
  sharePercent: 10,
  full: 400,
  async run(order) {
    const root = mkdtempSync(join(tmpdir(), "atoll-ledger-crash-"));
    let pruned = 0;
    try {
      return await doRounds(order, async (round) => {
        const { wrong, prunedTo } = await runRound(root, round);
        if (prunedTo > 0) pruned += 1;
        return wrong ?? (pruned === 0 && round.round - order.from >= ROUNDS_UNTIL_PRUNED ? "nothing was pruned in any round" : undefined);
      });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
};

interface Found {
  readonly wrong: string | undefined;
  readonly prunedTo: number;
}

/** What the killed programs said, and what is there. */
interface Left {
  readonly lines: readonly string[];
  readonly ledger: Ledger;
  /** Those of audit below {@link Ledger.pruned}, and all above. */
  readonly entries: readonly Entry[];
}

async function runRound(root: string, { round, random }: Round): Promise<Found> {
  const dir = mkdtempSync(join(root, `${round}-`));
  const mark = join(dir, "round");
  writeFileSync(mark, "");
  const lines: string[] = [];
  for (const run of RUNS) lines.push(...await killAfterLines([program, dir, run], 1 + Math.floor(random() * LINES_MAX)));
  await using store = await openState({ dir });
  // A store makes the folder that is missing: then what is not there was taken by somebody else.
  if (!existsSync(mark)) throw new Error("somebody has taken the folder of the round away");
  const { ledger, writer, roster, retention } = await openHouse(store, (text) => lines.push(`told ${text}`));
  try {
    const left: Left = { lines, ledger, entries: await entriesOf(ledger) };
    const wrong = lines.find((line) => line.startsWith("told ")) ?? notPruned(left) ?? lost(left) ?? notWhole(left) ?? await notFound(left) ?? await goesOn(left);
    if (wrong !== undefined) return { wrong, prunedTo: ledger.pruned };
    const anew = await roster.viewAt(ledger.head, { anew: true });
    if (!isDeepStrictEqual(roster.view.keep(), anew.keep())) return { wrong: "snapshot and tail are not what all entries make", prunedTo: ledger.pruned };
    const [next] = await ledger.append(writer, [{ kind: "note", source: "after", data: {} }]);
    const told = lines.flatMap((line) => line.startsWith("append") ? line.split(" ").slice(3).map(Number) : []);
    const used = Math.max(ledger.pruned, ...left.entries.map(({ seq }) => seq), ...told);
    return { wrong: (next?.seq ?? 0) > used ? undefined : `the number ${next?.seq} was used before`, prunedTo: ledger.pruned };
  } finally {
    await retention[Symbol.asyncDispose]();
    await roster[Symbol.asyncDispose]();
    await ledger[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function entriesOf(ledger: Ledger): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (let after: string | number = 0; ;) {
    const page = await ledger.query({ after, before: ledger.pruned + 1, classes: ["audit"], limit: 1_000 });
    entries.push(...page.entries);
    if (page.exhausted) break;
    after = page.next;
  }
  await ledger.replay(ledger.pruned, (entry) => void entries.push(entry));
  return entries;
}

/** What was told to be gone does not come back, and each slice is told by an entry. */
function notPruned({ lines, ledger, entries }: Left): string | undefined {
  const told = Math.max(0, ...lines.filter((line) => line.startsWith("pruned")).map((line) => Number(line.split(" ")[1])));
  if (ledger.pruned < told) return `it was pruned up to ${told}, and is up to ${ledger.pruned} now`;
  const last = entries.findLast(({ kind }) => kind === "retention_pruned");
  return ledger.pruned > 0 && last?.data["to"] !== ledger.pruned ? `pruned up to ${ledger.pruned}, told up to ${String(last?.data["to"])}` : undefined;
}

/** What was told is there, under its number, and nothing is there twice. */
function lost({ lines, entries, ledger: { pruned } }: Left): string | undefined {
  const written = entries.filter(isOfWriter);
  const places = new Map(written.map((entry) => [nameOf(entry), entry.seq]));
  if (places.size !== written.length) return "an entry is there twice";
  if (entries.some(({ seq }, at) => at > 0 && seq <= (entries[at - 1] as Entry).seq)) return "the numbers do not rise";
  for (const line of lines) {
    const [what = "", source = "", n = "", ...seqs] = line.split(" ");
    if (what === "append") {
      const gone = seqs.findIndex((seq, i) => Number(seq) > pruned && places.get(`${source}/${n}/${i}`) !== Number(seq));
      if (gone >= 0) return `entry ${gone} of batch ${n} of ${source} is not at ${seqs[gone]}`;
    } else if (what === "noted") {
      if (!(Number(seqs[0]) <= pruned) && places.get(`${source}/${n}/0`) !== Number(seqs[0])) return `note ${n} of ${source}, at ${seqs[0]}, was lost`;
      for (let audit = 0; audit <= Number(n); audit += AUDIT_EVERY) {
        if (!places.has(`${source}/${audit}/0`)) return `note ${audit} of ${source}, of audit, is not there, of ${line}; ${whatIsThere({ entries, pruned })}`;
      }
    }
  }
  return undefined;
}

/** For whoever looks for the reason. */
function whatIsThere({ entries, pruned }: { readonly entries: readonly Entry[]; readonly pruned: number }): string {
  const bySource = Object.entries(Object.groupBy(entries, ({ source }) => source)).sort();
  const counts = bySource.map(([source, own = []]) => `${source} ${own.length} at ${own[0]?.seq} to ${own.at(-1)?.seq}`);
  return `pruned up to ${pruned}, there are ${counts.join(", ")}`;
}

/** All of a batch or nothing, and of each source everything from where history begins up to its last. */
function notWhole({ entries, ledger: { pruned } }: Left): string | undefined {
  const due = new Map<string, string>();
  for (const { seq, source, data } of entries.filter(isOfWriter)) {
    if (seq <= pruned) continue;
    const { n, i, size } = data as unknown as Place;
    const expected = due.get(source) ?? (pruned > 0 ? `${n}/${i}` : "0/0");
    if (`${n}/${i}` !== expected) return `${source} goes on with ${n}/${i}, not with ${expected}`;
    due.set(source, i + 1 < size ? `${n}/${i + 1}` : `${n + 1}/0`);
  }
  const [half] = [...due].find(([, next]) => !next.endsWith("/0")) ?? [];
  return half === undefined ? undefined : `the last batch of ${half} is half there`;
}

/** Of a member, of a turn, of a kind: what is there is found, page by page. */
async function notFound({ entries, ledger }: Left): Promise<string | undefined> {
  const present = entries.filter(({ seq }) => seq > ledger.pruned);
  const turn_id = present.findLast((entry) => entry.turn_id !== undefined)?.turn_id ?? "";
  for (const filter of [{ member: "m-3" }, { turn_id }, { kinds: ["members_wired"] }] as const) {
    const found: number[] = [];
    for (let after: string | number = ledger.pruned; ;) {
      const page = await ledger.query({ ...filter, after, limit: 20 });
      found.push(...page.entries.map(({ seq }) => seq));
      if (page.exhausted) break;
      after = page.next;
    }
    const wanted = present.filter((entry) => ("member" in filter ? entry.member === filter.member : "turn_id" in filter ? entry.turn_id === turn_id : entry.kind === "members_wired"));
    if (!isDeepStrictEqual(found, wanted.map(({ seq }) => seq))) return `${JSON.stringify(filter)} finds ${found.length} of ${wanted.length} entries`;
  }
  return undefined;
}

/** From the last place that was told every later entry comes once, after the gap if some of them are gone. */
async function goesOn({ lines, ledger, entries }: Left): Promise<string | undefined> {
  const cursor = lines.findLast((line) => line.startsWith("cursor"))?.split(" ")[1];
  if (cursor === undefined) return undefined;
  const at = Number(cursor.split("-")[1]);
  const { pruned } = ledger;
  const gap: Gap["gap"][] = at < pruned ? [{ from: at + 1, to: pruned, reason: "retention" }] : [];
  const wanted = [...gap, ...entries.filter(({ seq }) => seq > Math.max(at, pruned)).map(({ seq }) => seq)];
  const ended = new AbortController();
  const got: (number | Gap["gap"])[] = [];
  if (wanted.length === 0) return undefined;
  for await (const one of ledger.subscribe({}, { after: cursor, signal: ended.signal })) {
    if ("live" in one) continue;
    got.push("gap" in one ? one.gap : one.seq);
    if (got.length === wanted.length) break;
  }
  return isDeepStrictEqual(got, wanted) ? undefined : `the reader at ${cursor} did not get what came later`;
}

interface Place {
  readonly n: number;
  readonly i: number;
  readonly size: number;
}

function isOfWriter({ kind }: Entry): boolean {
  return kind !== "retention_pruned";
}

function nameOf({ source, data }: Entry): string {
  const { n, i } = data as unknown as Place;
  return `${source}/${n}/${i}`;
}
