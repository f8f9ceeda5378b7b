/** Node 13, B10: whether signals overtake a flood of normal messages, and normal ones are not starved by a flood of signals. */
import { testkit } from "./support/built.ts";
import type { Bench, Row } from "../tools/bench/bench.ts";
import { formatTime } from "./support/figures.ts";
import { type BenchInbox, DONE, openBenchInbox } from "./support/node-inbox.ts";

/** As in `dispatch batch`. */
const WORKERS = 8;
const HANDLER_MS = 10;
/** Handlers so short that the main thread is full of the flood itself: printed beside it, without a bar. */
const SHORT_MS = 2;
/** Messages of a flood that wait or run at any time. */
const FLOOD = 500;
/** So many are finished before anything is measured: it stands, and is not just coming. */
const SETTLED = 64;
/** In a round: signals one after the other, alone and under the flood in turns. */
const SIGNALS = 50;
/** Messages that are finished under two floods. */
const SHARED = 2_000;
/** Above 64 bytes: it has no key, and waits for nobody but its turn. */
const BODY = new Uint8Array(100).fill(0x61);

export const bench: Bench = {
  name: "fairness", unit: "×", issue: "C",
  question: `handlers that wait ${HANDLER_MS} ms, ${WORKERS} at a time: p99 of a signal while ${FLOOD} normal messages wait ÷ p99 of one alone; and the `
    + `share of normal messages while ${FLOOD} signals wait beside them`,
  bars: [{ name: "signal under a normal flood, p99", atMost: 3 }, { name: "normal under a flood of signals, share", atLeast: 0.1 }],
  async run({ quick }) {
    const rows = await measure(HANDLER_MS, async (made) => [await overtaking(made, quick ? 5 : 11), await sharing(made)]);
    if (quick) return { rows };
    const [short] = await measure(SHORT_MS, async (made) => [await overtaking(made, 5)]);
    return { rows: [...rows, { ...short as Row, name: `the same with handlers of ${SHORT_MS} ms` }] };
  },
};

async function measure(handlerMs: number, rows: (made: BenchInbox) => Promise<Row[]>): Promise<Row[]> {
  await using store = testkit.memoryState();
  const handle = async (): Promise<typeof DONE> => {
    await new Promise((resolve) => setTimeout(resolve, handlerMs));
    return DONE;
  };
  const made = await openBenchInbox({ store, handle, concurrency: WORKERS });
  try {
    return await rows(made);
  } finally {
    await made.inbox.drain({ deadlineMs: 5_000 });
    await made.inbox.close();
  }
}

async function overtaking(made: BenchInbox, rounds: number): Promise<Row> {
  const alone: number[] = [];
  const flooded: number[] = [];
  await signals(made);
  for (let round = 0; round < rounds; round++) {
    alone.push(...await signals(made));
    const stands = Promise.withResolvers<void>();
    let finished = 0;
    const end = flood(made.tell, () => {
      if (++finished === SETTLED) stands.resolve();
    });
    await stands.promise;
    flooded.push(...await signals(made));
    await end();
  }
  const [one, other] = [p99(flooded), p99(alone)];
  return {
    name: "signal under a normal flood, p99", value: one / other,
    note: `${formatTime(one)} against ${formatTime(other)}; ${flooded.length} signals each`,
  };
}

async function sharing(made: BenchInbox): Promise<Row> {
  const finished = { normal: 0, high: 0 };
  const enough = Promise.withResolvers<void>();
  const count = (of: keyof typeof finished): void => {
    if (finished.normal + finished.high >= SHARED) return enough.resolve();
    finished[of]++;
  };
  const ends = [flood(made.signal, () => count("high")), flood(made.tell, () => count("normal"))];
  await enough.promise;
  await Promise.all(ends.map((end) => end()));
  const { normal, high } = finished;
  return { name: "normal under a flood of signals, share", value: normal / (normal + high), note: `${normal} of ${normal + high} finished` };
}

async function signals(made: BenchInbox): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < SIGNALS; i++) {
    const begun = performance.now();
    await made.signal(BODY);
    times.push(performance.now() - begun);
  }
  return times;
}

/** Keeps so many on their way, until the end is asked for; then waits for the last of them. */
function flood(send: (body: Uint8Array) => Promise<void>, finished?: () => void): () => Promise<void> {
  const end = new AbortController();
  const one = async (): Promise<void> => {
    while (!end.signal.aborted) {
      await send(BODY);
      finished?.();
    }
  };
  const all = Array.from({ length: FLOOD }, one);
  return async () => {
    end.abort();
    await Promise.all(all);
  };
}

function p99(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] as number;
}
