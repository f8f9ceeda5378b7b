/** Node 13, B3: what a call between two nodes of one process costs. */
import { type Bench } from "../tools/bench/bench.ts";
import { oneByOne } from "./support/asking.ts";
import { coreInternal, nodes } from "./support/built.ts";
import { Echo, echoWorkload, NOTE, type Note } from "./support/echo.ts";
import { formatTime, ratioRow, rounds, takeTurns } from "./support/figures.ts";
import { localBroker } from "./support/moleculer.ts";
import { onOneCore } from "./support/one-core.ts";

const CALLS = 500;

export const bench: Bench = {
  name: "call in process", unit: "×", issue: "C",
  question: "What does a volatile call of 100 B of JSON from one node to another in this process take at the median, against two hops "
    + "over plain async queues that write and read the same envelopes and JSON; and beside a local call of moleculer, which copies nothing?",
  bars: [{ name: "call, of two hops", atMost: 4 }],
  async run({ quick }) {
    onOneCore();
    await using app = await nodes.local({ memory: true, services: { asker: echoWorkload(), echo: echoWorkload() } });
    const broker = await localBroker();
    const asker = app.node("asker");
    const hops = twoHops();
    try {
      const times = await takeTurns({
        call: () => oneByOne(CALLS, () => asker.call(Echo.routes.Json, NOTE, { to: "echo" })),
        hops: () => oneByOne(CALLS, () => hops.ask(NOTE)),
        moleculer: () => oneByOne(CALLS, () => broker.call("echo.echo", NOTE)),
      }, rounds(quick));
      return { rows: [
        ratioRow("call, of two hops", times.call, times.hops),
        { ...ratioRow("call, of moleculer local", times.call, times.moleculer), note: `moleculer ${formatTime(times.moleculer.median)}, no codec` },
      ] };
    } finally {
      hops.end();
      await broker.stop();
    }
  },
};

/** Bytes from one loop to another. */
class Queue {
  readonly #items: Uint8Array[] = [];
  #wake: (() => void) | undefined;

  push(item: Uint8Array): void {
    this.#items.push(item);
    this.#wake?.();
  }

  async next(): Promise<Uint8Array> {
    while (this.#items.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#items.shift() as Uint8Array;
  }
}

interface Hops {
  ask(note: Note): Promise<Note>;
  end(): void;
}

const TEXT = { out: new TextEncoder(), in: new TextDecoder() };

/** One loop serves, another gives answers to those who wait for them. */
function twoHops(): Hops {
  const [there, back] = [new Queue(), new Queue()];
  const waiting = new Map<string, (note: Note) => void>();
  let last = 0;
  const over = new AbortController();
  void (async () => {
    while (!over.signal.aborted) {
      const { route_key, request_id, note } = read(await there.next());
      back.push(write({ route_key, request_id, direction: "response", note }));
    }
  })();
  void (async () => {
    while (!over.signal.aborted) {
      const { request_id, note } = read(await back.next());
      waiting.get(request_id)?.(note);
      waiting.delete(request_id);
    }
  })();
  const ask = (note: Note): Promise<Note> => new Promise((resolve) => {
    const request_id = `0199a000-0000-7000-8000-${String(++last).padStart(12, "0")}`;
    waiting.set(request_id, resolve);
    there.push(write({ route_key: "bench.Echo.Json", request_id, direction: "request", note }));
  });
  return {
    ask,
    end: () => {
      over.abort();
      void ask(NOTE);
    },
  };
}

interface Said {
  readonly route_key: string;
  readonly request_id: string;
  readonly note: Note;
}

function write({ note, ...o }: Said & { readonly direction: "request" | "response" }): Uint8Array {
  return coreInternal.writeEnvelope({
    ...o, timeout_ms: 30_000, payload: TEXT.out.encode(JSON.stringify(note)), metadata: [], content_type: "application/json",
  }, { extensions: true });
}

function read(bytes: Uint8Array): Said {
  const envelope = coreInternal.readEnvelope(bytes);
  if (!envelope.ok) throw envelope.fault;
  const { route_key, request_id, payload } = envelope.value;
  return { route_key, request_id, note: JSON.parse(TEXT.in.decode(payload)) as Note };
}
