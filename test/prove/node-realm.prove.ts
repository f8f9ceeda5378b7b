/**
 * Goal: whatever happens between nodes and their realm, they find together again. Invariants: when the trouble is over,
 * every node is connected within five minutes, its identity counts, its id is the one it began with, all find all and
 * accept each other's credentials; what was asked in between ended with an answer or a fault of a node; at the end no
 * timer is left. Method: a real realm and real clients on a clock that the round moves; in between a door that fails.
 */
import { formatNodeId, isFault, isNodeCode, nodeError, type Clock } from "@atoll-run/core";
import type { RealmDoor, SignalingHear, SignalingPipe } from "@atoll-run/node/internal";
import { ManualClock, memoryState } from "@atoll-run/testkit";
import { roundSeed, type Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";
import { makeClient, openRealm, type OpenRealm, type TestClient } from "../spec/node-world.ts";

const NODES = 5;
const STEPS = 40;
const TYPE = "acme:echo:1.0.0";
const MINUTE_MS = 60_000;
const HEALED_MS = 5 * MINUTE_MS;
const HEAL_REST_MS = 10;

export const proof: Proof = {
  issue: "C",
  title: "nodes and their realm find together again whatever happened between them, and the ids stay",
  sharePercent: 6,
  full: 1_000,
  run: (order) => doRounds(order, ({ seed }) => new Round(seed).run()),
};

type Trouble = "none" | "away" | "silent";

/** The way to whichever realm there is, with what can go wrong on it. */
class Way {
  trouble: Trouble = "none";
  realm: OpenRealm | undefined;
  readonly #pipes = new Set<() => void>();

  readonly door: RealmDoor = {
    remote: true,
    ask: async (request, o) => (await this.#reach(o.signal)).ask(request, o),
    dial: async (o) => {
      const door = await this.#reach(o.signal);
      const hear = this.#hear(o.hear);
      this.#pipes.add(hear.cut);
      try {
        return this.#pipe(await door.dial({ ...o, hear }));
      } catch (error) {
        this.#pipes.delete(hear.cut);
        throw error;
      }
    },
  };

  cut(): void {
    for (const cut of [...this.#pipes]) cut();
  }

  async #reach(signal: AbortSignal): Promise<RealmDoor> {
    if (this.trouble === "silent") await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    if (this.trouble === "away" || this.realm === undefined) throw nodeError("node.unavailable", "connection refused");
    return this.realm.door;
  }

  /** What comes in is lost while the way is silent. */
  #hear(hear: SignalingHear): SignalingHear & { readonly cut: () => void } {
    const cut = (): void => {
      if (this.#pipes.delete(cut)) hear.ended(1_006, "cut");
    };
    return {
      cut,
      frame: (bytes) => this.trouble === "silent" ? undefined : hear.frame(bytes),
      ended: (code, reason) => {
        if (this.#pipes.delete(cut)) hear.ended(code, reason);
      },
    };
  }

  #pipe(pipe: SignalingPipe): SignalingPipe {
    return {
      headers: pipe.headers, bufferedBytes: 0, close: (code, reason) => pipe.close(code, reason),
      send: (frame) => {
        if (this.trouble !== "silent") pipe.send(frame);
      },
    };
  }
}

class Round {
  readonly #clock = new ManualClock();
  readonly #store = memoryState();
  readonly #way = new Way();
  readonly #seed: number;
  readonly #strange: string[] = [];
  #turn = 0;
  #nodes: readonly TestClient[] = [];

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** What went wrong; undefined: nothing. */
  async run(): Promise<string | undefined> {
    const clock: Clock = this.#clock;
    await this.#openRealm();
    this.#nodes = await Promise.all(Array.from({ length: NODES }, () =>
      makeClient(this.#way.door, clock, { type: TYPE, random: () => this.#random(1_000) / 1_000 })));
    await Promise.all(this.#nodes.map(({ up }) => up()));
    const ids = this.#ids();
    const asked: Promise<void>[] = [];
    for (let step = 0; step < STEPS; step++) await this.#step(asked);
    const wrong = await this.#heal(ids);
    await Promise.all(asked);
    await Promise.all(this.#nodes.map(({ client }) => client[Symbol.asyncDispose]()));
    await this.#way.realm?.realm.close();
    if (wrong !== undefined) return wrong;
    if (this.#strange.length > 0) return `not a fault of a node: ${this.#strange[0]}`;
    return this.#clock.timers === 0 ? undefined : `${this.#clock.timers} timers are left`;
  }

  async #step(asked: Promise<void>[]): Promise<void> {
    const way = this.#way;
    switch (this.#random(10)) {
      case 0: way.trouble = "away"; break;
      case 1: way.trouble = "silent"; break;
      case 2: way.trouble = "none"; break;
      case 3: way.cut(); break;
      case 4: await this.#closeRealm(); break;
      case 5: await this.#openRealm(); break;
      case 6: if (way.realm !== undefined) await way.realm.admin("POST", "keys"); break;
      case 7: this.#node().client.signaling.reconnect("the round wants it"); break;
      case 8: asked.push(this.#ask()); break;
      // Sometimes longer than a credential lives.
      default: await this.#pass(this.#random(8) === 0 ? 90 * MINUTE_MS : this.#random(5 * MINUTE_MS));
    }
    await this.#pass(this.#random(2_000));
  }

  /** A question of one node about another: it ends, one way or the other. */
  async #ask(): Promise<void> {
    const [one, two] = [this.#node().client, this.#node().client];
    const ask = this.#random(2) === 0 ? one.directory.candidates(TYPE) : one.verifier.verify(two.session.current().credential);
    await ask.then(() => undefined, (error: unknown) => {
      if (!isFault(error) || !isNodeCode(error.code)) this.#strange.push(String(error));
    });
  }

  /** The trouble is over. */
  async #heal(ids: readonly string[]): Promise<string | undefined> {
    this.#way.trouble = "none";
    await this.#openRealm();
    const end = this.#clock.monotonic() + HEALED_MS;
    while (!this.#well() && this.#clock.monotonic() < end) {
      await this.#pass(1_000);
      // On a busy machine a signature takes longer than a second of this clock.
      await rest(HEAL_REST_MS);
    }
    if (!this.#well()) {
      return this.#nodes.map(({ client, told, faults }) =>
        `${client.signaling.up} ${client.session.standing} ${told.slice(-3).join(" ")} ${faults.at(-1)?.message}`).join("; ");
    }
    if (this.#ids().join() !== ids.join()) return `ids were ${ids.join()} and are ${this.#ids().join()}`;
    const [first] = this.#nodes;
    await Promise.all(this.#nodes.map(({ client }) => client.announce()));
    // What was cached while there was trouble may stand for half a minute.
    await this.#pass(30_000);
    const found = await first?.client.directory.candidates(TYPE) ?? [];
    if (found.length !== NODES) return `${found.length} of ${NODES} are found`;
    for (const { client } of this.#nodes) await first?.client.verifier.verify(client.session.current().credential);
    return undefined;
  }

  #well(): boolean {
    return this.#nodes.every(({ client }) => client.signaling.up && client.session.standing === "good");
  }

  #ids(): readonly string[] {
    return this.#nodes.map(({ client }) => formatNodeId(client.session.current().id));
  }

  async #openRealm(): Promise<void> {
    this.#way.realm ??= await openRealm(this.#clock, { store: this.#store });
  }

  async #closeRealm(): Promise<void> {
    const { realm } = this.#way;
    this.#way.realm = undefined;
    await realm?.realm.close();
  }

  /** Signatures are made in real time: in between they get some. */
  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0;) {
      const part = Math.min(left, Math.max(1, Math.min(this.#clock.nextMs, 10_000)));
      await this.#clock.pass(part);
      left -= part;
      if (this.#nodes.some(({ client }) => client.session.stats().asking || !client.signaling.up)) await rest();
    }
  }

  #node(): TestClient {
    const node = this.#nodes[this.#random(NODES)];
    if (node === undefined) throw new Error("there is no such node");
    return node;
  }

  #random(below: number): number {
    return roundSeed(this.#seed, this.#turn++) % below;
  }
}

function rest(ms = 1): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms));
}
