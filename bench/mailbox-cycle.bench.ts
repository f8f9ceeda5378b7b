/** Node 13, B1 and B2: what a message costs from its acceptance to its end. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench } from "../tools/bench/bench.ts";
import { sqlite } from "./support/built.ts";
import { type Figures, medianOf, ratioRow, rounds, takeTurns, timed } from "./support/figures.ts";
import { type BenchInbox, DONE, openBenchInbox } from "./support/node-inbox.ts";
import { onAllCores, onOneCore } from "./support/one-core.ts";
import { openRawMail, type RawMail } from "./support/raw-mail.ts";

const OUTSTANDING = 256;
const MESSAGES = 8_192;
const LONE = 100;
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
  using raw = openRawMail(join(folder, "raw.sqlite"));
  const file = openSync(join(folder, "synced"), "w");
  writeSync(file, new Uint8Array(4_096));
  try {
    const few = { ...rounds(quick), ...quick ? { runs: 5, warmUps: 2 } : { runs: 11, warmUps: 3 } };
    const many = await takeTurns({ cycle: () => timed(() => flood(made)), raw: () => timed(() => rawCycle(raw)) }, few);
    onOneCore();
    const alone = await takeTurns({
      // To the acknowledgement, which is what a teller waits for; the handler runs beside it.
      lone: () => medianOf(LONE, () => made.accepted(BODY)),
      sync: () => medianOf(LONE, () => {
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

function rawCycle(raw: RawMail): void {
  for (let done = 0; done < MESSAGES; done += OUTSTANDING) {
    raw.insert(OUTSTANDING);
    raw.remove(OUTSTANDING);
  }
}
