/**
 * A mob in a process of its own: `node mob-process.ts FOLDER MEMBERS PROFILE`. Says when it accepts turns, answers `{ ask }` as
 * below, and ends with its channel.
 */
import process from "node:process";
import { mobs } from "./built-mob.ts";
import { ask, fleetOf, memberName, openFleet, type PROFILES } from "./mob-fleet.ts";

export interface MobOrder {
  readonly dir: string;
  readonly members: number;
  /** Of each member. */
  readonly profile: keyof typeof PROFILES;
  /** A console follows the whole ledger. */
  readonly http: boolean;
}

/** What it is asked, and what it answers. */
export interface MobAnswers {
  /** Microseconds of processor time of all its threads. */
  readonly cpu: number;
  /** Resident bytes after a collection. */
  readonly memory: number;
  /** The first turn of each of these, one after the other: milliseconds from the send to its first line. */
  readonly wake: readonly number[];
}

export type MobAsk = { readonly ask: "cpu" | "memory" } | { readonly ask: "wake"; readonly from: number; readonly count: number; readonly atOnce: number };

const order = JSON.parse(process.argv[2] ?? "{}") as MobOrder;
const begun = new Map<string, number>();
const mob = await openFleet(order.dir, fleetOf(order.members, { profile: order.profile }), () => ({ content }) => {
  begun.set(content as string, performance.now());
});
const http = order.http ? await mobs.serveMob({ rooms: mob }, { port: 0 }) : undefined;

async function wake({ from, count, atOnce }: MobAsk & { ask: "wake" }): Promise<MobAnswers["wake"]> {
  const waits: number[] = [];
  let next = from;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < from + count) {
      const to = memberName(next++);
      const sent = performance.now();
      const { turn_id } = await mob.send(ask(to, to));
      const turn = await mob.members.wait(turn_id, { waitMs: 30_000 });
      if (turn.state !== "done") throw new Error(`${to}: ${turn.state} ${turn.error?.text ?? ""}`);
      // A script tells no instant: that of its first entry is whole milliseconds.
      waits.push((begun.get(to) ?? (turn.started_at_ms as number) - performance.timeOrigin) - sent);
    }
  }));
  return waits;
}

async function memory(): Promise<number> {
  // What the first one frees by finalizers is gone with the second.
  global.gc?.();
  await new Promise((resolve) => setTimeout(resolve, 100));
  global.gc?.();
  return process.memoryUsage().rss;
}

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function answer(asked: MobAsk): Promise<MobAnswers[keyof MobAnswers]> {
  switch (asked.ask) {
    case "cpu": return cpu();
    case "memory": return await memory();
    case "wake": return await wake(asked);
  }
}

process.on("disconnect", () => process.exit(0));
process.on("message", (asked: MobAsk) => {
  void answer(asked).then((given) => process.send?.(given));
});
process.send?.({ ready: true, url: http?.url, token: http?.token });
