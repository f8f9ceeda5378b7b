/** Node 13, B6: whether work of many keys overlaps as it should, and work of one key does not. */
import { testkit } from "./support/built.ts";
import type { Bench, Row } from "../tools/bench/bench.ts";
import { type Figures, formatTime, medianRow, rounds, takeTurns } from "./support/figures.ts";
import { type BenchInbox, DONE, keyBody, openBenchInbox } from "./support/node-inbox.ts";

const MESSAGES = 48;
const WORKERS = 8;
/** Batches until the code is compiled, as in a process that lives long. */
const COMPILED = 100;
const LATENCIES = [1, 10, 50] as const;
/** Published medians of Actr for the same table, ms a batch: one at a time, interleaved. */
const ACTR: Readonly<Record<number, string>> = {
  0: "52.98 / 7.97", 1: "101.1 / 13.9", 10: "532.8 / 68.1", 50: "2453.8 / 308.5",
};

export const bench: Bench = {
  name: "dispatch batch", unit: "×", issue: "C",
  question: "48 messages with 48 keys, 8 at a time, each waiting L for its host: how long against six times L; and with one key, against "
    + "48 times L? Without a wait: milliseconds.",
  bars: [
    { name: "L = 0, ms", atMost: 2 }, { name: "L = 1 ms, 48 keys", atMost: 1.5 }, { name: "L = 10 ms, 48 keys", atMost: 1.15 },
    { name: "L = 50 ms, 48 keys", atMost: 1.05 },
  ],
  async run({ quick }) {
    const rows: Row[] = [];
    for (const latency of [0, ...LATENCIES]) rows.push(...await measure(latency, quick));
    return { rows };
  },
};

async function measure(latency: number, quick: boolean): Promise<readonly Row[]> {
  const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, latency));
  const handle = async (): Promise<typeof DONE> => {
    if (latency > 0) await wait();
    return DONE;
  };
  await using store = testkit.memoryState();
  const made = await openBenchInbox({ store, handle, concurrency: WORKERS });
  const o = latency === 50 ? { runs: 3, warmUps: 1 } : { runs: 11, warmUps: rounds(quick).warmUps };
  try {
    if (latency === 0) for (let i = 0; i < COMPILED; i++) await all(made, (n) => `key-${n}`);
    const { batch, serial, alone } = await takeTurns({
      batch: () => timed(() => all(made, (n) => `key-${n}`)),
      serial: () => quick ? 0 : timed(() => all(made, () => "key")),
      // A timer is late by its own: what L really took stands below.
      alone: () => latency === 0 ? 0 : timed(wait),
    }, o);
    if (latency === 0) return [{ ...medianRow("L = 0, ms", batch), note: `${medianRow("", batch).note}; Actr ${ACTR[0]}` }];
    return [
      row(`L = ${latency} ms, 48 keys`, { taken: batch, alone, steps: Math.ceil(MESSAGES / WORKERS), latency }),
      ...quick ? [] : [row(`L = ${latency} ms, one key`, { taken: serial, alone, steps: MESSAGES, latency })],
    ];
  } finally {
    await made.inbox.drain({ deadlineMs: 5_000 });
    await made.inbox.close();
  }
}

function row(
  name: string, o: { readonly taken: Figures; readonly alone: Figures; readonly steps: number; readonly latency: number },
): Row {
  const least = o.steps * o.alone.median;
  const actr = o.steps === MESSAGES ? "" : `; Actr ${ACTR[o.latency] ?? ""} ms`;
  return { name, value: o.taken.median / least, note: `${formatTime(o.taken.median)} against ${formatTime(least)}${actr}` };
}

async function all(made: BenchInbox, keyOf: (n: number) => string): Promise<void> {
  await Promise.all(Array.from({ length: MESSAGES }, (_, n) => made.call(keyBody(keyOf(n)))));
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
