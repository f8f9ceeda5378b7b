/** Node 13, B1 and B2: what durable acceptance costs beside SQLite alone and beside the disk alone. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Batch } from "@atoll-run/core";
import type { Bench } from "../tools/bench/bench.ts";
import { sqlite } from "./support/built.ts";
import { medianOf, ratioRow, rounds, takeTurns, timed, type Figures } from "./support/figures.ts";
import { onAllCores, onOneCore } from "./support/one-core.ts";
import { openRawMail } from "./support/raw-mail.ts";

const PRODUCERS = 64;
const MESSAGES = 8_192;
const LONE = 100;
const SYNCED_BYTES = 4_096;
const BODY = new Uint8Array(1_024).fill(7);

export const bench: Bench = {
  name: "state commit", unit: "×", issue: "C",
  question: "How many messages of 1 KiB does a durable mailbox accept from 64 producers, each waiting for its own, against raw "
    + "node:sqlite that inserts the same rows 64 a commit; and what does a lone one take against one fdatasync of 4 KiB?",
  bars: [{ name: "enqueue, of raw SQLite", atLeast: 0.5 }],
  async run({ quick }) {
    const folder = mkdtempSync(join(tmpdir(), "atoll-bench-"));
    try {
      const times = await measure(folder, quick);
      const perSecond = MESSAGES / times.enqueue.median;
      return { rows: [
        // Of rates, not of times: more is better.
        ratioRow("enqueue, of raw SQLite", times.raw, times.enqueue),
        { name: "enqueue, thousands a second", value: perSecond, note: `goal 60; raw ${(MESSAGES / times.raw.median).toFixed(1)}` },
        ratioRow("a lone one, of fdatasync (goal 1.3)", times.lone, times.sync),
        ratioRow("a lone one, of a raw commit", times.lone, times.rawLone),
      ] };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function measure(folder: string, quick: boolean): Promise<Record<"enqueue" | "raw" | "lone" | "rawLone" | "sync", Figures>> {
  await using store = await sqlite.openState({ dir: folder });
  using raw = openRawMail(join(folder, "raw.sqlite"));
  const file = openSync(join(folder, "synced"), "w");
  writeSync(file, new Uint8Array(SYNCED_BYTES));
  let next = 0;
  const accept = (): Promise<unknown> => store.commit(batchOf(next++));
  try {
    const many = await takeTurns({
      enqueue: () => timed(() => Promise.all(Array.from({ length: PRODUCERS }, async () => {
        for (let i = 0; i < MESSAGES / PRODUCERS; i++) await accept();
      }))),
      raw: () => timed(() => {
        for (let i = 0; i < MESSAGES / PRODUCERS; i++) raw.insert(PRODUCERS);
      }),
    }, rounds(quick));
    // Two threads that take turns; see one-core.ts.
    onOneCore();
    const alone = await takeTurns({
      lone: () => medianOf(LONE, accept),
      rawLone: () => medianOf(LONE, () => raw.insert(1)),
      sync: () => medianOf(LONE, () => {
        writeSync(file, BODY, 0, BODY.length, 0);
        fdatasyncSync(file);
      }),
    }, rounds(quick));
    return { ...many, ...alone };
  } finally {
    onAllCores();
    closeSync(file);
  }
}

function batchOf(n: number): Batch {
  return {
    scope: "bench", epoch: null, at_ms: 1_700_000_000_000, ops: [{
      op: "accept", lease_until_at_ms: null, mail: {
        sender: "acme:client:1.0.0/12345", route: "bank.Bank.Note", request_id: `0199-${String(n).padStart(12, "0")}`,
        hash: "0123456789abcdef0123456789abcdef", priority: "normal", key: null, body: BODY, about: '{"kind":"tell"}',
        accepted_at_ms: 1_700_000_000_000, expires_at_ms: null, ready_at_ms: 0,
      },
    }],
  };
}
