/**
 * kill -9 of a program that writes to a `StateStore`. Goal: what it was told is done is there when the store is opened
 * again, and no batch is half there. Method: two kinds of batches touch every table; each leaves marks with its number
 * in all of them. The program and the round are two halves of one test, so that every driver can be put through it.
 */
import type { StateOp, StateStore } from "@atoll-run/core";
import { killAfterLines, printNow } from "./kill-lines.ts";
import { accept, answerOf, attach, letterOf, parcelOf, SCOPE } from "./chapters/state-under-test.ts";

/** Pairs of batches under way at one time, so that kills fall into group commits. */
const WRITERS = 8;
/** A round is killed after so many acknowledged batches, drawn evenly. */
const COMMITS_MAX = 300;
const PAGE = { after: 0, limit: 5_000 };

/** The program: writes for ever; prints each acknowledged batch as `<kind> <number> <what note gives>`. */
export async function commitUntilKilled(store: StateStore, note: () => number): Promise<void> {
  const { done } = await attach(store);
  let next = 0;
  const print = (kind: string, n: number): void => printNow(`${kind} ${n} ${note()}`);
  await Promise.all(Array.from({ length: WRITERS }, async () => {
    for (;;) {
      const n = next++;
      const [seq = 0] = await done(...begin(n));
      print("begin", n);
      await done(...finish(n, seq));
      print("finish", n);
    }
  }));
}

function begin(n: number): StateOp[] {
  const body = new Uint8Array(n % 3_000);
  return [
    accept(String(n), { key: `k${n % 5}`, body }), { op: "send", parcel: parcelOf(String(n)) },
    { op: "put", space: "s", key: String(n), value: "1", if_version: null }, { op: "append", journal: "j", body: String(n) },
  ];
}

function finish(n: number, seq: number): StateOp[] {
  return [
    { op: "settle", seq, fence: 0 }, { op: "remember", answer: answerOf(String(n)) },
    { op: "bury", letter: letterOf("x", { reason: String(n) }) },
  ];
}

export interface StateCrashRound {
  /** File of the program; gets `folder` as argument. */
  readonly program: string;
  /** Empty: a folder for each round. */
  readonly folder: string;
  /** From 0 to below 1. */
  readonly random: () => number;
  open(folder: string): Promise<StateStore>;
  /** After the kill; `noted`: what `note` gave with the last line. */
  readonly harm?: (noted: number) => void;
}

/** Writes, kills, opens again and compares; gives what is wrong, or undefined. */
export async function stateCrashRound(round: StateCrashRound): Promise<string | undefined> {
  const { program, folder, random, open, harm } = round;
  const lines = (await killAfterLines([program, folder], 1 + Math.floor(random() * COMMITS_MAX))).map(readLine);
  harm?.(Math.max(...lines.map(({ noted }) => noted)));
  await using store = await open(folder);
  const marks = await readMarks(store);
  for (const { kind, n } of lines) {
    if (!(kind === "begin" ? marks.journal : marks.letters).has(n)) return `${kind} of ${n} was lost`;
  }
  for (let n = 0; n <= Math.max(0, ...marks.all); n++) {
    const begun = marks.journal.has(n);
    const finished = marks.letters.has(n);
    const half = marks.documents.has(n) !== begun || marks.parcels.has(n) !== begun
      || marks.rows.has(n) !== (begun && !finished) || marks.answers.has(n) !== finished;
    if (half) return `the batches of ${n} are half there`;
  }
  return undefined;
}

interface Marks {
  readonly rows: ReadonlySet<number>;
  readonly journal: ReadonlySet<number>;
  readonly documents: ReadonlySet<number>;
  readonly parcels: ReadonlySet<number>;
  readonly letters: ReadonlySet<number>;
  readonly answers: ReadonlySet<number>;
  readonly all: readonly number[];
}

async function readMarks(store: StateStore): Promise<Marks> {
  const rows = (await store.rows(SCOPE, PAGE)).map(({ request_id }) => Number(request_id));
  const journal = (await store.journal("j", PAGE)).map(({ body }) => Number(body));
  const documents = (await store.keys(SCOPE, "s", { prefix: "", ...PAGE, after: null })).map(Number);
  const parcels = (await store.outbox(SCOPE, Number.MAX_SAFE_INTEGER, PAGE.limit)).map(({ to }) => Number(to));
  const letters = (await store.letters(SCOPE, PAGE)).map(({ reason }) => Number(reason));
  const all = [...new Set([...rows, ...journal, ...documents, ...parcels, ...letters])];
  const found = await Promise.all(all.map((n) => store.find(SCOPE, answerOf(String(n)))));
  const answers = all.filter((_, i) => "outcome" in (found[i] ?? {}));
  return {
    all, rows: new Set(rows), journal: new Set(journal), documents: new Set(documents), parcels: new Set(parcels),
    letters: new Set(letters), answers: new Set(answers),
  };
}

interface Line {
  readonly kind: string;
  readonly n: number;
  readonly noted: number;
}

function readLine(line: string): Line {
  const [kind = "", n, noted] = line.split(" ");
  return { kind, n: Number(n), noted: Number(noted) };
}
