/** Node 13, B9: what a peer costs that is connected and says nothing. */
import { once } from "node:events";
import { spawnSync } from "node:child_process";
import { parseNodeId } from "@atoll-run/core";
import { WebSocket } from "ws";
import type { Bench } from "../tools/bench/bench.ts";
import { node as internal } from "./support/built.ts";
import { bytes, CLOCK, sessionOf, verifier } from "./support/keyed-node.ts";
import { type Peer, startPeer } from "./support/peer.ts";

const PEERS = 10_000;
const PEERS_QUICK = 500;
/** Before anything is measured: their code is compiled, their heap has grown. */
const WARM = 100;
const AT_ONCE = 16;
/** Descriptors that a process needs for itself. */
const OWN_FILES = 200;
const SERVER = "1@1/acme:bench:1.0.0";

export const bench: Bench = {
  name: "idle connections", unit: "×", issue: "C",
  question: "How much resident memory does a node take for each of 10,000 proved peers on WebSockets that say nothing, against a bare "
    + "`ws` server with as many connections?",
  bars: [{ name: "memory a peer, of bare ws", atMost: 2 }],
  async run({ quick }) {
    const peers = Math.min(quick ? PEERS_QUICK : PEERS, fileLimit() - OWN_FILES - WARM);
    const node = await perPeer(await startPeer("node"), peers, connectProved);
    const raw = await perPeer(await startPeer("raw"), peers, connectBare);
    return { rows: [{
      name: "memory a peer, of bare ws", value: node / raw,
      note: `${kib(node)} against ${kib(raw)}; ${peers} peers`,
    }] };
  },
};

type Connect = (address: string, serial: number) => Promise<AsyncDisposable>;

/** Bytes. Ends the other process. */
async function perPeer(started: Peer, peers: number, connect: Connect): Promise<number> {
  await using server = started;
  let serial = 1_000;
  const open: AsyncDisposable[] = [];
  const more = async (count: number): Promise<void> => {
    const last = serial + count;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (serial < last) open.push(await connect(server.address, serial++));
    }));
  };
  await more(WARM);
  const before = await server.memory();
  await more(peers);
  const after = await server.memory();
  await Promise.all(open.map((one) => one[Symbol.asyncDispose]()));
  return (after - before) / peers;
}

async function connectProved(address: string, serial: number): Promise<AsyncDisposable> {
  const session = await sessionOf(serial);
  const id = parseNodeId(SERVER);
  if (id === undefined) throw new Error(`${SERVER} is no id`);
  const wire = await internal.openWebSocketWire({
    clock: CLOCK, bytes, verifier: VERIFIER, events: { accepted: () => () => undefined },
    session: { current: () => session, onRenewed: () => ({ [Symbol.dispose]: () => undefined }) },
  });
  const link = await wire.dial({ id, address, withinMs: 30_000, receive: () => () => undefined });
  if (link.peer.proof !== "key") throw new Error("the server has proved nothing");
  return wire;
}

const VERIFIER = verifier();

async function connectBare(address: string): Promise<AsyncDisposable> {
  const socket = new WebSocket(address, { perMessageDeflate: false });
  await once(socket, "open");
  return { [Symbol.asyncDispose]: async () => socket.terminate() };
}

/** Open files that a process may have. */
function fileLimit(): number {
  const { stdout } = spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" });
  const limit = Number(stdout);
  return Number.isInteger(limit) && limit > 0 ? limit : Infinity;
}

function kib(count: number): string {
  return `${Number((count / 1_024).toPrecision(3))} KiB`;
}
