/** Rounds of the proof that a killed node loses nothing: its lives, and how each of them ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNode, createRealm, type NodeHandle } from "@atoll-run/atoll/node";
import { formatNodeId } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { bundle } from "../../tools/rolldown.ts";
import type { KillNodeMessage, KillNodeOrder } from "./fixtures/kill-node.ts";
import { BOOK, FIXED, Front, LEDGER } from "./fixtures/kill-services.ts";
import { lookAt, waiting } from "./node-kill-look.ts";
import { Senders } from "./node-kill-senders.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DISK = new URL("./fixtures/failing-disk.ts", import.meta.url).href;
/** Far above what anything here needs on a busy machine. */
const PATIENCE_MS = 90_000;
const ANSWERS_MAX = 150;
const LIFE_MS = 2_000;

/** When the node is killed, and what it is doing then. */
export type Moment =
  /** At work. */
  | "work"
  /** On its way up; in its first life it makes its file and registers. */
  | "start"
  /** Idle, when it moves its log into its file. */
  | "checkpoint"
  /** After SIGTERM. */
  | "drain"
  /** While dead letters are handed in again. */
  | "redrive"
  /** With a disk that is full. */
  | "full"
  /** With a disk that cannot sync. */
  | "fsync";

export interface RoundOrder {
  readonly moment: Moment;
  readonly kills: number;
  /** Answers of one life after which it is killed, at most; default 150. */
  readonly answersMax?: number;
  readonly nodes: KillNodeOrder["nodes"];
  /** Clients name the nodes by type, so that the realm is asked where they are. */
  readonly byType?: boolean;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** No two of a proof are the same. */
  readonly tag: string;
}

export interface Rounds extends AsyncDisposable {
  /** Sentences that are wrong. */
  run(order: RoundOrder): Promise<readonly string[]>;
}

interface World {
  readonly program: string;
  readonly root: string;
  readonly url: string;
  readonly front: NodeHandle;
  readonly frontId: string;
  receipts: Map<string, number>;
}

/**
 * Lays the program that is killed beside the built packages, so that it runs their code: it is the same code, and starts
 * in half the time. Gives its path.
 */
export async function buildProgram(): Promise<string> {
  const outDir = join(ROOT, "build/prove");
  await bundle({
    inputs: { "kill-node": join(ROOT, "test/prove/fixtures/kill-node.ts") }, outDir, external: (name) => !/^[./]/.test(name),
  });
  return join(outDir, "kill-node.js");
}

/** A realm and the node of all clients, for many rounds, one after the other. */
export async function openRounds(program: string): Promise<Rounds> {
  const root = mkdtempSync(join(tmpdir(), "atoll-node-kill-"));
  const realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const world: { receipts: World["receipts"] } = { receipts: new Map() };
  const impl = Front.implement({
    Receipt: ({ sender, n }) => void world.receipts.set(`${sender}-${n}`, (world.receipts.get(`${sender}-${n}`) ?? 0) + 1),
  });
  const url = realm.addresses?.url ?? "";
  const acl = [{ effect: "allow", from: { type: "*:*:*", realm: "self" }, actions: ["*"] }] as const;
  const front = await createNode({ name: "front", memory: true, realm: { url }, acl }).link(impl).start();
  const all = Object.assign(world, { program, root, url, front, frontId: front.id === undefined ? "" : formatNodeId(front.id) });
  return {
    run: (order) => runRound(all, order),
    [Symbol.asyncDispose]: async () => {
      await front.close();
      await realm.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function runRound(world: World, order: RoundOrder): Promise<readonly string[]> {
  const folder = join(world.root, order.tag);
  const giveUp = new AbortController();
  const late = setTimeout(() => giveUp.abort(), PATIENCE_MS * 2);
  world.receipts = new Map();
  const lives = new Lives(world, order, folder);
  try {
    if (order.moment === "start") for (let i = 0; i < order.kills; i++) await lives.killAtStart();
    const ids = await lives.start();
    const to = order.byType === true ? { ledger: LEDGER, book: BOOK } : ids;
    const { front, frontId, receipts } = world;
    const senders = new Senders({
      front, frontId, receipts, to, random: order.random, signal: giveUp.signal, fill: order.moment === "checkpoint" ? 4_000 : 0,
    });
    for (const node of order.nodes) {
      senders.start(`${node}-mixed`, node, ["call", "tell"]);
      senders.start(`${node}-tells`, node, ["tell"]);
    }
    senders.start("stream", "ledger", ["stream"]);
    for (let i = order.moment === "start" ? order.kills : 0; i < order.kills; i++) {
      await lives.liveOnce(senders);
      await lives.start();
    }
    await senders.end();
    if (giveUp.signal.aborted) return [...senders.wrong, ...lives.wrong];
    return [...await finish(world, order, { folder, lives, senders }), ...lives.wrong];
  } finally {
    clearTimeout(late);
    giveUp.abort();
    await lives.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Rest {
  readonly folder: string;
  readonly lives: Lives;
  readonly senders: Senders;
}

/** Everything is answered and the node runs: until nothing waits, then in order to its end. */
async function finish({ receipts }: World, { nodes, tag }: RoundOrder, { folder, lives, senders }: Rest): Promise<readonly string[]> {
  const dirs = nodes.map((node) => join(folder, node));
  const empty = async (): Promise<string | undefined> => {
    let rows = 0;
    return until(() => {
      rows = dirs.reduce((sum, dir) => sum + waiting(dir), 0);
      return rows === 0;
    }, { withinMs: PATIENCE_MS, everyMs: 20 }).then(() => undefined, () => `${rows} rows do not leave mailbox or outbox`);
  };
  const stranded = await empty();
  if (stranded === undefined) await senders.askAgain(0.1);
  const left = stranded ?? await empty();
  await lives.close();
  const found = await Promise.all(nodes.map((node) => lookAt({
    dir: join(folder, node), scope: `${node}-${tag}`, receipts, senders: senders.all.filter((one) => one.node === node),
  })));
  return [...senders.wrong, ...left === undefined ? [] : [left], ...found.flat()];
}

class Lives {
  readonly wrong: string[] = [];
  readonly #world: World;
  readonly #order: RoundOrder;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #ids: string | undefined;
  #heard: KillNodeMessage[] = [];
  #begun = 0;
  #startMs = 800;

  constructor(world: World, order: RoundOrder, folder: string) {
    this.#world = world;
    this.#order = order;
    this.#folder = folder;
  }

  /** Up; gives the ids of its nodes. A disk fails in all lives but the last. */
  async start(): Promise<Readonly<Record<string, string>>> {
    const begun = performance.now();
    const child = this.#spawn();
    this.#begun += 1;
    const up = await until(() => {
      if (child.exitCode !== null) throw new Error(`the node ended by itself with ${child.exitCode}`);
      return this.#heard.find((message) => message.is === "up");
    }, { withinMs: PATIENCE_MS, what: "a node that is up" });
    this.#startMs = performance.now() - begun;
    const ids = up.is === "up" ? up.ids : {};
    const text = JSON.stringify(ids);
    this.#ids ??= text;
    if (text !== this.#ids) this.wrong.push(`the ids were ${this.#ids} and are ${text}`);
    return ids;
  }

  async killAtStart(): Promise<void> {
    this.#spawn();
    await pause(this.#order.random() * this.#startMs);
    await this.kill();
  }

  /** Until it has given some answers, then to its moment, then dead. */
  async liveOnce(senders: Senders): Promise<void> {
    const { random, moment, answersMax = ANSWERS_MAX } = this.#order;
    const enough = senders.answers + 1 + Math.floor(random() * answersMax);
    const end = performance.now() + LIFE_MS;
    const failing = moment === "full" || moment === "fsync";
    const broken = (): boolean => failing && this.#heard.some(({ is }) => is === "failing");
    await until(() => senders.answers >= enough || performance.now() > end || broken(), { everyMs: 1, withinMs: PATIENCE_MS });
    if (failing) {
      await until(broken, { withinMs: PATIENCE_MS }).catch(() => this.wrong.push(`the disk never failed (${moment})`));
    }
    if (moment === "redrive") await this.#redrive();
    if (moment === "drain") this.#child?.kill("SIGTERM");
    if (moment === "checkpoint") {
      senders.pause(true);
      // A store that is idle for 100 ms moves its log.
      await pause(95);
    }
    if (moment === "fsync" && random() < 0.5) await this.#ends();
    await pause(random() * (failing || moment === "drain" ? 200 : 20));
    await this.kill();
    senders.pause(false);
  }

  /** Without its store a node is nothing: it must not stay. */
  async #ends(): Promise<void> {
    await until(() => this.#heard.some(({ is }) => is === "ended"), { withinMs: PATIENCE_MS, what: "the end of a node whose store is broken" });
  }

  async #redrive(): Promise<void> {
    if (this.#begun > 1) writeFileSync(join(this.#folder, FIXED), "");
    this.#child?.send("redrive");
    const end = performance.now() + LIFE_MS;
    await until(() => this.#heard.some(({ is }) => is === "redrove") || performance.now() > end, { everyMs: 1 });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  async close(): Promise<void> {
    const child = this.#child as ChildProcess;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
    const report = this.#heard.find(({ is }) => is === "closed");
    if (report?.is !== "closed" || report.unfinished.length > 0) this.wrong.push(`it did not end in order: ${JSON.stringify(report)}`);
  }

  #spawn(): ChildProcess {
    const { nodes, tag } = this.#order;
    const { url, program } = this.#world;
    const order: KillNodeOrder = { url, folder: this.#folder, tag, nodes };
    const disk = this.#disk();
    const cache = process.env["NODE_COMPILE_CACHE"] ?? join(dirname(program), "cache");
    const child = this.#child = spawn(process.execPath, [...disk === undefined ? [] : ["--no-warnings", "--import", disk], program, JSON.stringify(order)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"], env: { ...process.env, NODE_COMPILE_CACHE: cache },
    });
    const heard: KillNodeMessage[] = this.#heard = [];
    child.on("message", (message: KillNodeMessage) => heard.push(message));
    return child;
  }

  #disk(): string | undefined {
    const { moment, kills, random } = this.#order;
    if (this.#begun >= kills) return undefined;
    if (moment === "full") return `${DISK}?full=${4 + Math.floor(random() * 12)}`;
    return moment === "fsync" ? `${DISK}?fsync=${20 + Math.floor(random() * 200)}` : undefined;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
