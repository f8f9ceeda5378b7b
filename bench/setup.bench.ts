/** Node 13, B7: what the first call on a fresh connection costs, proofs included. */
import type { Bench } from "../tools/bench/bench.ts";
import { Echo, echoWorkload } from "./support/echo.ts";
import { ratioRow, rounds, takeTurns, toFigures } from "./support/figures.ts";
import { openKeyedNode } from "./support/keyed-node.ts";
import { onOneCore } from "./support/one-core.ts";
import { startPeer } from "./support/peer.ts";
import { openRawSocket } from "./support/raw-socket.ts";

const BODY = new Uint8Array(100).fill(7);
const TIMES = 20;
const SERVER = "1@1/acme:bench:1.0.0";
const CLIENT = 2;

export const bench: Bench = {
  name: "set-up", unit: "×", issue: "C",
  question: "How long does the first call to another process take when there is no connection yet, both ends proving their keys, against "
    + "bare `ws` that connects and echoes once? All processes on one core.",
  bars: [{ name: "first call, of connect and echo", atMost: 3 }],
  async run({ quick }) {
    onOneCore();
    await using server = await startPeer("node");
    await using rawServer = await startPeer("raw");
    await using client = await openKeyedNode({ serial: CLIENT, workload: echoWorkload(), addresses: { [SERVER]: server.address } });
    const times = await takeTurns({
      call: () => median(async () => {
        await client.handle.call(Echo.routes.Bytes, BODY, { to: SERVER });
        return () => client.peers.drop(undefined, 1_000, "again");
      }),
      raw: () => median(async () => {
        const socket = await openRawSocket(rawServer.address);
        await socket.echo(BODY);
        return () => socket[Symbol.asyncDispose]();
      }),
    }, quick ? { runs: 7, warmUps: 2 } : rounds(quick));
    return { rows: [ratioRow("first call, of connect and echo", times.call, times.raw)] };
  },
};

/** What it gives back undoes it, which takes no part in the time. */
async function median(once: () => Promise<() => PromiseLike<void>>): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const begun = performance.now();
    const undo = await once();
    taken.push(performance.now() - begun);
    await undo();
  }
  return toFigures(taken).median;
}
