/** Node 13, B4: what a call costs between two processes. */
import type { Bench, Row } from "../tools/bench/bench.ts";
import { type Ask, atOnce, oneByOne } from "./support/asking.ts";
import { Echo, echoWorkload } from "./support/echo.ts";
import { ratioRow, takeTurns } from "./support/figures.ts";
import { openKeyedNode } from "./support/keyed-node.ts";
import { startBroker } from "./support/moleculer.ts";
import { onAllCores, onOneCore } from "./support/one-core.ts";
import { startPeer } from "./support/peer.ts";
import { openRawSocket } from "./support/raw-socket.ts";

const SIZES = { "100 B": 100, "16 KiB": 16 * 1_024 } as const;
const OUTSTANDING = 64;
const LONE = 100;
const MANY = 512;
/** Until the code is compiled, as in a process that lives long. */
const COMPILED = 2_048;
const COMPILED_LARGE = 256;
/** `acme:bench` with the number that the other process has. */
const SERVER = "1@1/acme:bench:1.0.0";
const CLIENT = 2;

export const bench: Bench = {
  name: "call over WebSocket", unit: "×", issue: "C",
  question: "What does a volatile call to another process take, alone and 64 at a time, against the same bytes over bare `ws` there and "
    + "back; and beside moleculer over TCP? All processes on one core, so that the ratio is that of the work.",
  bars: Object.keys(SIZES).flatMap((size) => [{ name: `${size}, p50`, atMost: 2 }, { name: `${size}, rate`, atLeast: 0.4 }]),
  async run({ quick }) {
    const alone = onOneCore();
    const rows = await measure(quick, "");
    if (quick || !alone) return { rows };
    onAllCores();
    return { rows: [...rows, ...await measure(quick, ", cores not chosen")] };
  },
};

async function measure(quick: boolean, how: string): Promise<Row[]> {
  await using server = await startPeer("node");
  await using rawServer = await startPeer("raw");
  await using client = await openKeyedNode({ serial: CLIENT, workload: echoWorkload(), addresses: { [SERVER]: server.address } });
  await using raw = await openRawSocket(rawServer.address);
  // It has no bar.
  await using others = quick ? undefined : await startPeer("moleculer");
  const broker = others === undefined ? undefined : await startBroker("client", others.address);
  try {
    const rows: Row[] = [];
    for (const [size, count] of Object.entries(SIZES)) {
      const body = new Uint8Array(count).fill(120);
      const text = "x".repeat(count);
      rows.push(...await compare({
        call: () => client.handle.call(Echo.routes.Bytes, body, { to: SERVER }),
        raw: () => raw.echo(body),
        ...broker === undefined ? {} : { moleculer: () => broker.call("echo.echo", { text }) },
      }, { size, quick, how, compiled: rows.length === 0 ? COMPILED : COMPILED_LARGE }));
    }
    return rows;
  } finally {
    await broker?.stop();
  }
}

interface Ways {
  readonly call: Ask;
  readonly raw: Ask;
  readonly moleculer?: Ask;
}

interface CompareOptions {
  readonly size: string;
  readonly quick: boolean;
  readonly how: string;
  /** Calls before anything is measured. */
  readonly compiled: number;
}

async function compare(ways: Ways, { size, quick, how, compiled }: CompareOptions): Promise<Row[]> {
  const o = quick ? { runs: 5, warmUps: 1 } : { runs: 15, warmUps: 5 };
  const { call, raw, moleculer = () => Promise.resolve() } = ways;
  for (const way of [call, raw, moleculer]) await atOnce(compiled, OUTSTANDING, way);
  const lone = await takeTurns({
    call: () => oneByOne(LONE, call), raw: () => oneByOne(LONE, raw), moleculer: () => oneByOne(LONE, moleculer),
  }, o);
  const many = await takeTurns({
    call: () => atOnce(MANY, OUTSTANDING, call), raw: () => atOnce(MANY, OUTSTANDING, raw),
    moleculer: () => atOnce(MANY, OUTSTANDING, moleculer),
  }, o);
  const perSecond = (ms: number): string => `${Number((MANY / ms).toPrecision(3))} k/s`;
  const rows = [
    ratioRow(`${size}, p50${how}`, lone.call, lone.raw),
    // Of rates, not of times: more is better.
    { ...ratioRow(`${size}, rate${how}`, many.raw, many.call), note: `${perSecond(many.call.median)} against ${perSecond(many.raw.median)}` },
  ];
  if (ways.moleculer === undefined) return rows;
  return [...rows, ratioRow(`${size}, p50, of moleculer TCP${how}`, lone.call, lone.moleculer), {
    ...ratioRow(`${size}, rate, of moleculer TCP${how}`, many.moleculer, many.call),
    note: `moleculer ${perSecond(many.moleculer.median)}`,
  }];
}
