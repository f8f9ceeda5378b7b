/**
 * The end-of-run order (spec: block 2.3, steps 2 to 10). A step that fails or takes too long becomes a warning and an entry
 * of `unfinished`; it never replaces the outcome and never skips a later step.
 */
import type { BlockLimits, Clock } from "@atoll-run/core";
import type { Bus } from "../bus/dispatcher.ts";
import type { RunIsles } from "./isles.ts";
import type { Kit } from "./kit.ts";
import { blockError } from "../errors.ts";

export interface Finishing {
  readonly clock: Clock;
  readonly bus: Bus;
  readonly isles: RunIsles;
  readonly kit: Kit;
  /** Wait for tasks nobody joined: only after a script that returned. */
  readonly linger: boolean;
  /** Settles when the run is cancelled while it ends: then nobody waits for tasks. */
  readonly cancelled: Promise<void>;
  readonly killMain: boolean;
  /** A handler asked for the end: it is not waited for. */
  readonly atOnce: boolean;
  readonly owned: boolean;
  readonly limits: BlockLimits;
}

export interface Finished {
  readonly unfinished: string[];
  readonly warnings: string[];
}

/** Even when the time of the end is used up, each step gets this long, in milliseconds. */
const STEP_MS_MIN = 20;
/** What the end of an MCP server takes that had to be killed, in milliseconds. */
const MCP_KILL_MS = 1_000;
/** What the end of a thread takes whose isle did not end by itself, in milliseconds. */
const THREAD_END_MS = 250;

export async function finish(f: Finishing): Promise<Finished> {
  const report: Finished = { unfinished: [], warnings: [] };
  let endsAt = Infinity;
  const step = (name: string, ms: number, work: () => Promise<unknown>): Promise<void> =>
    bounded(f.clock, report, { name, ms: Math.min(ms, Math.max(STEP_MS_MIN, endsAt - f.clock.monotonic())), work });
  // only what a script that returned has left behind may still emit
  if (!f.linger) f.bus.closeIntake();
  if (f.killMain) await step("main isle", 400, () => f.isles.kill("main", blockError("run.cancelled", "cancelled")));
  if (f.linger) await step("tasks", f.limits.lingerMs, () => linger(f));
  f.bus.closeIntake();
  endsAt = f.clock.monotonic() + f.limits.graceMs + f.limits.endMsMax;
  await step("bus", f.limits.graceMs + f.limits.hardStopMs + 100, async () => {
    const drained = await f.bus.drain(f.atOnce ? 0 : f.limits.graceMs);
    if (!drained && !f.atOnce) report.unfinished.push("bus handler");
    f.bus.close();
  });
  await step("mcp servers", f.limits.mcpStopMs * 2 + MCP_KILL_MS, async () => {
    report.unfinished.push(...(await f.kit.closeMcp()).map((server) => `mcp server '${server}'`));
  });
  await step("children", 2_500, () => f.kit.endChildren());
  await step("isles", f.limits.isleEndMsMax + THREAD_END_MS, () => f.isles.close());
  await step("stores", 2_000, () => f.kit.closeStores());
  await step("mesh and http", 1_000, () => f.kit.closeNetwork());
  await step("output", 1_000, () => f.kit.flush());
  return report;
}

async function linger(f: Finishing): Promise<void> {
  const { lingerWarnMs } = f.limits;
  const idle = Promise.all([f.isles.idle("main", lingerWarnMs), f.isles.idle("handler", lingerWarnMs)]);
  await Promise.race([idle, f.cancelled]);
}

async function bounded(clock: Clock, report: Finished, o: { name: string; ms: number; work: () => Promise<unknown> }): Promise<void> {
  let timer: Disposable | undefined;
  const late = Symbol("late");
  const time = o.ms === Infinity ? new Promise<never>(() => undefined) : new Promise<typeof late>((resolve) => {
    timer = clock.after(o.ms, () => resolve(late));
  });
  try {
    if (await Promise.race([o.work(), time]) !== late) return;
    report.unfinished.push(o.name);
    report.warnings.push(`the end of the run: ${o.name} not finished within ${o.ms} ms`);
  } catch (error) {
    report.unfinished.push(o.name);
    report.warnings.push(`the end of the run: ${o.name}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    timer?.[Symbol.dispose]();
  }
}
