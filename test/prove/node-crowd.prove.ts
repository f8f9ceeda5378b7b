/**
 * Goal: strangers and a crowd that comes back do not take a node from its peers. Invariants, while 1,000 nodes connect
 * again at once and strangers knock 200 times a second with nothing, stolen and garbled credentials, half a request, and
 * megabytes before a proof: all nodes come in; of 100 echoes of peers that are there 99 take at most three times as long
 * as before, or as a bare echo beside them (the machine itself may be slow), or less than 60 ms; the memory
 * of the node at most doubles; no handshake stays behind. Method: the node, the crowd and the peers are processes of their own.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import type { Link } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import type { Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";
import { numbered, wireOf } from "./fixtures/small-realm.ts";

const CROWD = 1_000;
const PEERS = 10;
/** An echo within that time has harmed nobody, whatever it is three times of. */
const QUICK_MS = 60;

export const proof: Proof = {
  issue: "C",
  title: "1,000 nodes that come back at once and a flood of strangers leave a node in its memory and its peers served",
  sharePercent: 8,
  full: 20,
  async run(order) {
    await using world = await openWorld(String(order.seed));
    return await doRounds(order, () => runRound(world));
  },
};

type Echo = () => Promise<void>;
type Told = Readonly<Record<string, unknown>>;

interface World extends AsyncDisposable {
  readonly node: ChildProcess;
  readonly crowd: ChildProcess;
  /** Each sends a body to the node and waits for it to come back. */
  readonly echoes: readonly Echo[];
  /** The same without a node: what the machine takes. */
  readonly bare: Echo;
  /** Memory of the node before anybody came, bytes. */
  readonly rss: number;
}

async function openWorld(seed: string): Promise<World> {
  const children: ChildProcess[] = [];
  const start = async (name: string, ...args: string[]): Promise<readonly [ChildProcess, Told]> => {
    const child = fork(fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url)), args, { execArgv: ["--expose-gc"] });
    children.push(child);
    return [child, await next(child)];
  };
  const close = async (): Promise<void> => {
    await Promise.all(children.map(async (child) => {
      if (child.exitCode !== null) return;
      child.disconnect();
      await once(child, "exit");
    }));
  };
  try {
    const [node, { address }] = await start("knocked-node", seed);
    const [crowd] = await start("node-crowd", seed, String(address), String(CROWD));
    const peers = await Promise.all(Array.from({ length: PEERS }, (_, at) => openPeer(seed, at + 1, String(address))));
    const [, { port }] = await start("socket-echo");
    const socket = connect(Number(port), "127.0.0.1").setNoDelay();
    const bare: Echo = async () => {
      socket.write("x");
      await once(socket, "data");
    };
    const { rss } = await ask(node);
    return {
      node, crowd, bare, rss: Number(rss), echoes: peers.map(({ echo }) => echo),
      [Symbol.asyncDispose]: async () => {
        socket.destroy();
        await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openPeer(seed: string, serial: number, address: string): Promise<AsyncDisposable & { readonly echo: Echo }> {
  const wire = await wireOf(seed, serial);
  let heard: (() => void) | undefined;
  const link: Link = await wire.dial({ id: numbered(0), address, withinMs: 30_000, receive: () => () => heard?.() });
  return {
    echo: () => new Promise((resolve, reject) => {
      heard = resolve;
      if (!link.send("rpc_reliable", new Uint8Array(100))) reject(new Error("a peer that was there has lost its connection"));
    }),
    [Symbol.asyncDispose]: () => wire[Symbol.asyncDispose](),
  };
}

async function runRound(world: World): Promise<readonly string[]> {
  const { node, crowd, rss } = world;
  const quiet = await slowest(world, () => 200);
  const told = next(crowd);
  crowd.send("again");
  let over = false;
  const came = told.finally(() => over = true);
  const busy = await slowest(world, (done) => over ? done : done + 1);
  const { came: number } = await came;
  const after = await until(async () => {
    const stats = await ask(node);
    return stats["handshakes"] === 0 && stats["connections"] === PEERS ? stats : undefined;
  }, { withinMs: 30_000, everyMs: 200, what: "the end of all handshakes" }).catch((error: Error) => error.message);
  const failures: string[] = [];
  if (number !== CROWD) failures.push(`${String(number)} of ${CROWD} nodes came in`);
  if (busy.echo > Math.max(QUICK_MS, quiet.echo * 3, busy.bare * 3)) {
    const [now, before, bare] = [busy.echo, quiet.echo, busy.bare].map((ms) => ms.toFixed(1));
    failures.push(`99 of 100 echoes took ${now} ms, before it ${before} ms, bare ones ${bare} ms`);
  }
  if (typeof after === "string") failures.push(after);
  else if (Number(after["rss"]) > rss * 2) failures.push(`the node has ${Number(after["rss"]) >> 20} MiB, at the beginning ${rss >> 20} MiB`);
  return failures;
}

interface Slowest {
  readonly echo: number;
  readonly bare: number;
}

/** Milliseconds that 99 of 100 echoes took; one every few milliseconds, until there are as many as `want` says. */
async function slowest({ echoes, bare }: World, want: (done: number) => number): Promise<Slowest> {
  const times = { echo: [] as number[], bare: [] as number[] };
  const take = async (into: number[], echo: Echo | undefined): Promise<void> => {
    const began = performance.now();
    await echo?.();
    into.push(performance.now() - began);
  };
  for (let at = 0; at < want(at); at++) {
    await Promise.all([take(times.echo, echoes[at % echoes.length]), take(times.bare, bare)]);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const p99 = (all: readonly number[]): number => all.toSorted((one, other) => one - other)[Math.floor(all.length * 0.99)] ?? 0;
  return { echo: p99(times.echo), bare: p99(times.bare) };
}

async function ask(child: ChildProcess): Promise<Told> {
  const answer = next(child);
  child.send("stats");
  return answer;
}

async function next(child: ChildProcess): Promise<Told> {
  const ended = new AbortController();
  const exit = once(child, "exit", { signal: ended.signal }).then(([code]) => {
    throw new Error(`a process of the proof ended with ${String(code)}`);
  }, () => new Promise<never>(() => undefined));
  try {
    const [message] = await Promise.race([once(child, "message", { signal: ended.signal }), exit]);
    return message as Told;
  } finally {
    ended.abort();
  }
}
