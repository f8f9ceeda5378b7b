/** Node 13, B1 and B2: what a message costs from its acceptance to its end. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Bench } from "../tools/bench/bench.ts";
import { sqlite } from "./support/built.ts";
import { type Figures, ratioRow, rounds, takeTurns, toFigures } from "./support/figures.ts";
import { type BenchInbox, DONE, openBenchInbox } from "./support/node-inbox.ts";
import { onAllCores, onOneCore } from "./support/one-core.ts";

const OUTSTANDING = 256;
const MESSAGES = 8_192;
const LONE = 100;
const HASH = "0".repeat(64);
const BODY = new Uint8Array(1_024).fill(7);

export const bench: Bench = {
  name: "mailbox cycle", unit: "×", issue: "C",
  question: "How many tells of 1 KiB does a node accept, handle and finish, 256 outstanding, against raw node:sqlite that inserts and "
    + "deletes the same rows 256 a commit (synchronous=FULL); and what does a lone one take against one fdatasync?",
  bars: [{ name: "cycle, of raw SQLite", atLeast: 0.35 }],
  async run({ quick }) {
    const folder = mkdtempSync(join(tmpdir(), "atoll-bench-"));
    try {
      const times = await measure(folder, quick);
      return { rows: [
        // Of rates, not of times: more is better.
        ratioRow("cycle, of raw SQLite", times.raw, times.cycle),
        { name: "cycle, thousands a second", value: MESSAGES / times.cycle.median, note: `goal 40; raw ${(MESSAGES / times.raw.median).toFixed(1)}` },
        ratioRow("a lone tell, of fdatasync (goal 1.3)", times.lone, times.sync),
      ] };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function measure(folder: string, quick: boolean): Promise<Record<"cycle" | "raw" | "lone" | "sync", Figures>> {
  await using store = await sqlite.openState({ dir: folder });
  const made = await openBenchInbox({ store, handle: () => DONE });
  using raw = openRaw(join(folder, "raw.sqlite"));
  const file = openSync(join(folder, "synced"), "w");
  writeSync(file, new Uint8Array(4_096));
  try {
    const few = { ...rounds(quick), ...quick ? { runs: 5, warmUps: 2 } : { runs: 11, warmUps: 3 } };
    const many = await takeTurns({ cycle: () => timed(() => flood(made)), raw: () => timed(() => raw.cycle(MESSAGES)) }, few);
    onOneCore();
    const alone = await takeTurns({
      lone: () => median(LONE, () => accept(made)),
      sync: () => median(LONE, () => {
        writeSync(file, BODY, 0, BODY.length, 0);
        fdatasyncSync(file);
      }),
    }, few);
    return { ...many, ...alone };
  } finally {
    onAllCores();
    closeSync(file);
    await made.inbox.drain({ deadlineMs: 5_000 });
    await made.inbox.close();
  }
}

async function flood(made: BenchInbox): Promise<void> {
  await Promise.all(Array.from({ length: OUTSTANDING }, async () => {
    for (let i = 0; i < MESSAGES / OUTSTANDING; i++) await made.tell(BODY);
  }));
}

/** To the acknowledgement, which is what a teller waits for; the handler runs beside it. */
async function accept(made: BenchInbox): Promise<void> {
  await made.accepted(BODY);
}

interface Raw extends Disposable {
  cycle(rows: number): void;
}

function openRaw(path: string): Raw {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; CREATE TABLE mail (
    seq INTEGER PRIMARY KEY, scope INTEGER, sender TEXT, route TEXT, request_id TEXT, hash TEXT, priority INTEGER, key TEXT, about TEXT,
    accepted_at INTEGER, expires_at INTEGER, ready_at INTEGER, leased INTEGER, attempts INTEGER, crashes INTEGER, fence INTEGER, body BLOB)`);
  // Every column of a row of the mailbox, found by its number only.
  const insert = db.prepare("INSERT INTO mail VALUES (?, 1, ?, ?, ?, ?, 0, ?, ?, ?, NULL, 0, 1, 0, 0, 1, ?)");
  const remove = db.prepare("DELETE FROM mail WHERE seq = ?");
  let next = 0;
  const commit = (work: () => void): void => {
    db.exec("BEGIN IMMEDIATE");
    work();
    db.exec("COMMIT");
  };
  return {
    cycle: (rows) => {
      for (let done = 0; done < rows; done += OUTSTANDING) {
        const first = next + 1;
        commit(() => {
          for (let i = 0; i < OUTSTANDING; i++) {
            insert.run(++next, "1a2b3c@1/acme:client:1.0.0", "bench.Bench.Note", `r-${next}`, HASH, "s1a2b3c@1/acme:client:1.0.0",
              "{\"kind\":\"tell\"}", next, BODY);
          }
        });
        commit(() => {
          for (let i = 0; i < OUTSTANDING; i++) remove.run(first + i);
        });
      }
    },
    [Symbol.dispose]: () => db.close(),
  };
}

async function timed(work: () => unknown): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function median(times: number, work: () => unknown): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < times; i++) taken.push(await timed(work));
  return toFigures(taken).median;
}
