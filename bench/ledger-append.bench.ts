/** Mob 13, B3: how fast the ledger takes entries that are waited for. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { DatabaseSync } from "node:sqlite";
import type { Bench } from "../tools/bench/bench.ts";
import { sqlite } from "./support/built.ts";
import { type Figures, ratioRow, rounds, takeTurns, timed } from "./support/figures.ts";
import { machineRow, measureMachine, percentile, timeRow } from "./support/machine.ts";
import { entryOf, openBenchLedger } from "./support/mob-house.ts";

const ENTRIES = 16_384;
const PRODUCERS = 8;
/** Of one append; eight of them are what the store puts into one commit. */
const BATCH = 64;
const BYTES = 256;

export const bench: Bench = {
  name: "ledger append", unit: "×", issue: "D",
  question: `How many entries of ${BYTES} bytes does the ledger take from ${PRODUCERS} writers that wait for ${BATCH} at a time, against raw `
    + `node:sqlite that inserts the same texts into a bare journal, ${PRODUCERS * BATCH} a commit (synchronous=FULL); and how long do they wait?`,
  bars: [
    { name: "thousands a second", atLeast: 60 }, { name: "commit p99", atMost: 25 }, { name: "loop delay p99", atMost: 20 },
  ],
  async run({ quick }) {
    const folder = mkdtempSync(join(tmpdir(), "atoll-bench-"));
    try {
      const machine = await measureMachine(folder);
      const { append, raw, waits, delayMs } = await measure(folder, quick);
      return { rows: [
        { name: "thousands a second", value: ENTRIES / append.median, unit: "k/s", note: `raw ${(ENTRIES / raw.median).toFixed(0)} k/s; ${append.runs} runs` },
        // Of rates, not of times: more is better.
        ratioRow("of raw SQLite", raw, append),
        timeRow("commit p99", percentile(waits, 0.99), machine, `median ${percentile(waits, 0.5).toFixed(1)} ms`),
        timeRow("loop delay p99", delayMs, machine, "looked at each millisecond"),
        machineRow(machine),
      ] };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function measure(folder: string, quick: boolean): Promise<Record<"append" | "raw", Figures> & { waits: number[]; delayMs: number }> {
  await using store = await sqlite.openState({ dir: folder });
  const { ledger, writer } = await openBenchLedger(store);
  const { entry, text } = await entryOf(BYTES, { ledger, writer });
  const entries = Array.from({ length: BATCH }, () => entry);
  const waits: number[] = [];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  using raw = openRawJournal(join(folder, "raw.sqlite"), text);
  const times = await takeTurns({
    append: async () => {
      delay.enable();
      const taken = await timed(() => Promise.all(Array.from({ length: PRODUCERS }, async () => {
        for (let i = 0; i < ENTRIES / PRODUCERS / BATCH; i++) waits.push(await timed(() => ledger.append(writer, entries)));
      })));
      delay.disable();
      return taken;
    },
    raw: () => timed(() => {
      for (let i = 0; i < ENTRIES; i += PRODUCERS * BATCH) raw.insert(PRODUCERS * BATCH);
    }),
  }, rounds(quick));
  return { ...times, waits, delayMs: delay.percentile(99) / 1e6 };
}

function openRawJournal(path: string, body: string): Disposable & { insert(rows: number): void } {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;
    CREATE TABLE journal (seq INTEGER PRIMARY KEY, scope INTEGER, at_ms INTEGER, body TEXT)`);
  const insert = db.prepare("INSERT INTO journal VALUES (NULL, 1, ?, ?)");
  return {
    insert: (rows) => {
      db.exec("BEGIN IMMEDIATE");
      for (let i = 0; i < rows; i++) insert.run(i, body);
      db.exec("COMMIT");
    },
    [Symbol.dispose]: () => db.close(),
  };
}
