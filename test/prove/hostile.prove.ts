/**
 * Goal: an attack costs its host nothing but its budget. Invariants: a limit fires within 100 ms of its budget; meanwhile
 * the neighbour's median latency at most doubles; no thread and no child is left. Method: rows of the hostile scripts by
 * chance, on threads of their own and on a thread they share with the neighbour; idle latency is measured in the same
 * round. What only a clock says counts when it is seen three times in a row, since machines have other work to do.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createPool, type IslePool } from "@atoll-run/atoll";
import type { Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";
import { attack, type Attacked, Neighbour } from "../hostile/attack.ts";
import { HOSTILE_LIMITS, type Hostile } from "../hostile/script.ts";
import { HOSTILE } from "../hostile/scripts.ts";

const TRIES = 3;
const LATE_MS_MAX = 100;
/** What is not the isle's: a message to the host and its turn there, and time the cores gave to somebody else. */
const NOISE_MS = 25;
const SLOWER_MAX = 2;
/** Below this a ratio is one of clock ticks and turns of the event loop. */
const LATENCY_FLOOR_MS = 0.5;
const IDLE_ASKS = 40;
const ASK_EVERY_MS = 2;
/** With fewer answers in an attack there is no median. */
const ASKS_LEAST = 15;
const GONE_MS_MAX = 3_000;

interface Place {
  readonly name: string;
  readonly home: string;
  readonly pool: IslePool | undefined;
  readonly neighbour: Neighbour;
  readonly rows: readonly Hostile[];
}

export const proof: Proof = {
  issue: "A",
  title: "hostile scripts: a limit fires within 100 ms of its budget, a neighbour's latency at most doubles, nothing is left",
  full: 400,
  async run(order) {
    const home = mkdtempSync(join(tmpdir(), "atoll-hostile-"));
    await using closing = new AsyncDisposableStack();
    closing.defer(() => rmSync(home, { recursive: true, force: true }));
    const pool = closing.use(createPool({ max: 2, warm: 2, home }));
    const places: readonly Place[] = [
      { name: "own threads", home, pool: undefined, rows: HOSTILE, neighbour: closing.use(await Neighbour.start({ home })) },
      { name: "shared thread", home, pool, rows: HOSTILE.filter(({ shared }) => shared === true), neighbour: closing.use(await Neighbour.start({ home, pool })) },
    ];
    // what is read once in a process, is read
    for (const place of places) await attack({ name: "nothing", source: "return 1", ends: ["returned"] }, place);
    return await doRounds(order, ({ seed }) => oneRound(places, seed));
  },
};

async function oneRound(places: readonly Place[], seed: number): Promise<string | undefined> {
  const place = places[seed % places.length] as Place;
  const row = place.rows[Math.floor(seed / places.length) % place.rows.length] as Hostile;
  const where = `${row.name} (${place.name})`;
  const seen: string[] = [];
  for (let turn = 0; turn < TRIES; turn += 1) {
    const { hard, timed } = await oneAttack(place, row);
    if (hard !== undefined) return `${where}: ${hard}`;
    if (timed === undefined) return undefined;
    seen.push(timed);
  }
  return `${where}: ${seen.join("; ")}`;
}

/** `hard`: what may never be; `timed`: what a busy machine may have done. */
async function oneAttack(place: Place, row: Hostile): Promise<{ hard?: string; timed?: string }> {
  const before = open();
  const idle = median(await asks(place.neighbour, async () => sleep(IDLE_ASKS * ASK_EVERY_MS)));
  let attacked: Attacked = { end: "none", text: "", ms: 0, cpuMs: 0 };
  const busy = await asks(place.neighbour, async () => {
    attacked = await attack(row, place);
  });
  const { end, text } = attacked;
  if (end === "none" || !row.ends.includes(end)) return { hard: `${end}: ${text}` };
  const left = await stillOpen(before);
  if (left !== undefined) return { hard: left };
  const late = lateness(row, attacked);
  if (late !== undefined) return { timed: late };
  const during = median(busy);
  if (busy.length >= ASKS_LEAST && during > SLOWER_MAX * Math.max(idle, LATENCY_FLOOR_MS)) {
    return { timed: `the neighbour took ${during.toFixed(2)} ms, idle ${idle.toFixed(2)} ms` };
  }
  return {};
}

/** Says how a limit fired too late. A cancel counts from the script's begin, since it is given then. */
function lateness(row: Hostile, { end, text, ms, cpuMs }: Attacked): string | undefined {
  const { cpuMsMax, wallMsMax } = { ...HOSTILE_LIMITS, ...row.limits };
  const after = (budget: number, took: number): string | undefined =>
    took > budget + LATE_MS_MAX + NOISE_MS ? `${end} after ${took.toFixed(0)} ms, its budget is ${budget} ms` : undefined;
  if (row.cancelled === true) return after(0, Math.min(ms, cpuMs));
  if (end !== "isle.timeout") return undefined;
  if (text.includes("wall time")) return after(wallMsMax, ms);
  // the isle had no more CPU time than its process, and no more than there was time: others may have had the cores;
  // scripts that also wait say nothing
  return row.busy === true ? after(cpuMsMax, Math.min(ms, cpuMs)) : undefined;
}

/** Asks both isles of the neighbour in turn until `until` is done; milliseconds of each. */
async function asks(neighbour: Neighbour, until: () => Promise<void>): Promise<number[]> {
  const taken: number[] = [];
  const state = { done: false };
  const end = until().finally(() => {
    state.done = true;
  });
  try {
    for (let i = 0; !state.done; i += 1) {
      taken.push(await neighbour.ask(i % 2 === 0 ? "main" : "handler"));
      await sleep(ASK_EVERY_MS);
    }
  } finally {
    await end;
  }
  return taken;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

// ---- what is left

interface Counted { readonly ports: number; readonly children: number }

/** Each worker has a port; Linux also tells the children. */
function open(): Counted {
  const ports = process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length;
  if (process.platform !== "linux") return { ports, children: 0 };
  const threads = readdirSync("/proc/self/task");
  const lists = threads.map((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/children`, "utf8");
    } catch {
      // the thread is gone
      return "";
    }
  });
  return { ports, children: lists.join(" ").split(" ").filter((pid) => pid !== "").length };
}

async function stillOpen(before: Counted): Promise<string | undefined> {
  const until = performance.now() + GONE_MS_MAX;
  let now = open();
  while ((now.ports > before.ports || now.children > before.children) && performance.now() < until) {
    await sleep(5);
    now = open();
  }
  if (now.ports > before.ports) return `${now.ports - before.ports} threads are left`;
  return now.children > before.children ? `${now.children - before.children} children are left` : undefined;
}
