/**
 * Goal: strangers and a stampede do not take a realm from its nodes. Invariants, while 1,000 nodes connect again at once
 * and strangers send 200 pieces of nonsense a second: all come back; of 100 pings of another node 99 take less than a
 * quarter of a second, or at most three times as long as before, or as a bare echo beside them (the machine itself may be
 * slow); the memory of the realm at most doubles. Method: a realm, its nodes, the other one and
 * the strangers are processes of their own; strangers come from an address that is not this machine's own, if it has one.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { fileURLToPath } from "node:url";
import type { Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";

const FLEET = 1_000;
const PINGS = 200;
/** A ping that was answered within that time has harmed nobody, whatever it is three times of. */
const QUICK_MS = 250;

export const proof: Proof = {
  issue: "C",
  title: "1,000 nodes that reconnect at once and a flood of strangers leave a realm in its memory and its nodes served",
  sharePercent: 10,
  full: 20,
  async run(order) {
    await using world = await openWorld();
    return await doRounds(order, () => runRound(world));
  },
};

interface World extends AsyncDisposable {
  readonly realm: ChildProcess;
  readonly fleet: ChildProcess;
  /** A node that pings. */
  readonly healthy: ChildProcess;
  readonly echoPort: number;
  readonly strangersUrl: string;
}

async function openWorld(): Promise<World> {
  const children: ChildProcess[] = [];
  const start = async (name: string, ...args: string[]): Promise<ChildProcess> => {
    const child = run(name, args);
    children.push(child);
    return child;
  };
  const close = async (): Promise<void> => void await Promise.all(children.map(stop));
  try {
    const outside = Object.values(networkInterfaces()).flat()
      .find((one) => one !== undefined && !one.internal && one.family === "IPv4")?.address;
    const realm = await start("realm-process", outside === undefined ? "127.0.0.1" : "0.0.0.0");
    const { port } = new URL(String((await next(realm))["url"]));
    const near = `http://127.0.0.1:${port}`;
    const [fleet, healthy] = [await start("realm-fleet", near, String(FLEET)), await start("realm-fleet", near, "1")];
    const echo = await start("socket-echo");
    const [{ port: echoPort }] = await Promise.all([next(echo), next(fleet), next(healthy)]);
    return { realm, fleet, healthy, echoPort: Number(echoPort), strangersUrl: `http://${outside ?? "127.0.0.1"}:${port}`, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function runRound(world: World): Promise<string[]> {
  const { realm, fleet, strangersUrl } = world;
  const [before, calm] = [await ask(realm, {}), await measure(world)];
  const strangers = run("realm-strangers", [strangersUrl]);
  try {
    await next(strangers);
    const [back, loud] = await Promise.all([ask(fleet, { reconnect: true }), measure(world)]);
    const after = await ask(realm, {});
    const [rssBefore, rss] = [Number(before["rss"]), Number(after["rss"])];
    const up = (after["stats"] as { signaling_connections: number }).signaling_connections;
    const note = `p99 ${calm.ping.toFixed(1)} → ${loud.ping.toFixed(1)} ms (echo ${calm.echo.toFixed(1)} → ${loud.echo.toFixed(1)}), ${mib(rssBefore)} → ${mib(rss)} MiB, back in ${Number(back["back_ms"]).toFixed(0)} ms`;
    return [
      ...loud.ping > Math.max(QUICK_MS, 3 * calm.ping, 3 * loud.echo) ? [`pings slowed down: ${note}`] : [],
      ...rss > 2 * rssBefore ? [`the memory more than doubled: ${note}`] : [],
      ...up < FLEET ? [`only ${up} nodes are connected: ${note}`] : [],
    ];
  } finally {
    await stop(strangers);
  }
}

function run(name: string, args: readonly string[]): ChildProcess {
  const path = fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url));
  return fork(path, args, { execArgv: ["--expose-gc"], stdio: ["ignore", "ignore", "inherit", "ipc"] });
}

type Message = Readonly<Record<string, unknown>>;

/** Its next message; throws when it ends instead. */
async function next(child: ChildProcess): Promise<Message> {
  const gone = new AbortController();
  try {
    return await Promise.race([
      once(child, "message", { signal: gone.signal }).then(([message]) => message as Message),
      once(child, "exit", { signal: gone.signal }).then(([code]) => {
        throw new Error(`${child.spawnargs.at(2)} ended with ${String(code)}`);
      }),
    ]);
  } finally {
    gone.abort();
  }
}

function ask(child: ChildProcess, order: object): Promise<Message> {
  const answer = next(child);
  child.send(order);
  return answer;
}

/** 99th of 100: a ping of the realm, and an echo at the same time. */
async function measure({ healthy, echoPort }: World): Promise<{ ping: number; echo: number }> {
  const { times, echoes } = await ask(healthy, { measure: PINGS, echo: echoPort }) as unknown as Record<"times" | "echoes", number[]>;
  const p99 = (all: number[]): number => all.sort((a, b) => a - b)[Math.floor(all.length * 0.99)] ?? 0;
  return { ping: p99(times), echo: p99(echoes) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

function mib(bytes: number): number {
  return Math.round(bytes / 1_048_576);
}
