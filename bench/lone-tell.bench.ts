/** Node 13, B2: how long a teller waits until another node has its message on the disk. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench } from "../tools/bench/bench.ts";
import { atOnce, oneByOne } from "./support/asking.ts";
import { Echo, echoWorkload } from "./support/echo.ts";
import { ratioRow, rounds, takeTurns } from "./support/figures.ts";
import { openKeyedNode } from "./support/keyed-node.ts";
import { onOneCore } from "./support/one-core.ts";
import { startPeer } from "./support/peer.ts";
import { openRawSocket } from "./support/raw-socket.ts";

const TELLS = 100;
/** Until the code is compiled, as in a process that lives long. */
const COMPILED = 2_048;
const BODY = new Uint8Array(1_024).fill(7);
const SERVER = "1@1/acme:bench:1.0.0";
const CLIENT = 2;

export const bench: Bench = {
  name: "lone tell", unit: "×", issue: "C",
  question: "One tell of 1 KiB after the other to another process: how long until it is acknowledged, and so on the disk, against an echo "
    + "over bare `ws` that commits one row to bare node:sqlite (synchronous=FULL) before it answers? All processes on one core.",
  bars: [{ name: "tell, of echo and commit", atMost: 1.5 }],
  async run({ quick }) {
    onOneCore();
    const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), "atoll-bench-")));
    try {
      await using server = await startPeer("node", folders[0]);
      await using rawServer = await startPeer("raw", folders[1]);
      await using client = await openKeyedNode({ serial: CLIENT, workload: echoWorkload(), addresses: { [SERVER]: server.address } });
      await using raw = await openRawSocket(rawServer.address);
      await atOnce(COMPILED, 64, () => client.handle.tell(Echo.routes.Note, BODY, { to: SERVER }));
      const times = await takeTurns({
        tell: () => oneByOne(TELLS, () => client.handle.tell(Echo.routes.Note, BODY, { to: SERVER })),
        raw: () => oneByOne(TELLS, () => raw.echo(BODY)),
      }, quick ? { runs: 7, warmUps: 2 } : rounds(quick));
      return { rows: [ratioRow("tell, of echo and commit", times.tell, times.raw)] };
    } finally {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    }
  },
};
