/**
 * The end of a node (spec: node 3.3): each step has its time, one that runs out is reported and the next begins.
 *
 * takes a node that runs; gives a report; promises that afterwards no timer, socket, worker or lease of it is left;
 * refuses nothing: what hangs is given up; never gives up a message that was accepted: it goes back into the mailbox.
 */
import { isFault, withDeadline, type Clock, type Log, type Workload } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { Hurry } from "./hurry.ts";
import type { Start } from "./start.ts";

export interface CloseReport {
  /** The realm has heard that this node leaves; a node without one has nobody to tell. */
  readonly announced: boolean;
  /** Streams that did not end by themselves. */
  readonly streams_reset: number;
  /** Messages that were finished meanwhile. */
  readonly handled: number;
  /** Messages that were given up: they are the first work of the next start. */
  readonly returned: number;
  /** Answers that found no way out; those of rows wait in the outbox. */
  readonly replies_unsent: number;
  /** onStop, and the end of the workload, that took too long. */
  readonly hooks_timed_out: number;
  readonly unregistered: boolean;
  /** Connections that did not close by themselves. */
  readonly lanes_forced: number;
  /** Other steps that were given up or failed, by name. */
  readonly unfinished: readonly string[];
  readonly elapsed_ms: number;
}

export interface CloseOptions {
  /** Milliseconds for all steps, 30,000 by default; each has its share of it. */
  readonly deadlineMs?: number;
  /** Milliseconds that each step still has from now on; a later call hurries the end that is under way. */
  readonly stepMs?: number;
}

export interface CloseParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly start: Start;
  readonly workload: Workload;
  readonly limits: LimitsOf<"life">;
  readonly hurry: Hurry;
}

/** What a step that bounds itself may be late. */
const LATE_MS = 1_000;

/** Never throws. */
export async function closeNode(parts: CloseParts, o: CloseOptions): Promise<CloseReport> {
  const { clock, start, workload, limits, hurry } = parts;
  const { hooks, inbox, gate, network, table } = start.rooms;
  const begun = clock.monotonic();
  const scale = (o.deadlineMs ?? limits.closeMsMax) / limits.closeMsMax;
  const unfinished: string[] = [];
  const step = async <T>(name: string, ms: number, otherwise: T, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    try {
      using time = hurry.within(Math.max(1, ms * scale));
      return await withDeadline(run, { clock, ms: Infinity, signal: time.signal, what: `closing the node: ${name}` });
    } catch (error) {
      unfinished.push(name);
      parts.log.write({ level: "warn", target: "node", msg: `closing: ${name} was given up`, fields: { reason: textOf(error) } });
      return otherwise;
    }
  };

  const announced = network === undefined
    || await step("announce", limits.announceMsMax, false, (signal) => network.drain({ signal }));
  inbox.stopIntake();
  gate.drain();
  const streams_reset = await whatIs(limits.streamsMsMax, (signal) => gate.drainStreams(signal));
  const drained = await whatIs(limits.handlersMsMax, (signal) => inbox.drain({ deadlineMs: limits.handlersMsMax * scale, signal }));
  const replies_unsent = await whatIs(limits.repliesMsMax, (signal) => gate.flushed(signal));
  const hooks_timed_out = await endWorkload();
  const unregistered = network === undefined
    || await step("unregister", limits.unregisterMsMax, false, (signal) => network.unregister({ signal }));
  const lanes = table.size;
  const rollback = await pressed(limits.lanesMsMax * scale, start.scope.undoAll()) ?? { unfinished: ["listeners", "peers"], failed: [] };
  const forced = rollback.unfinished.includes("peers") || rollback.unfinished.includes("listeners");
  unfinished.push(...rollback.unfinished, ...rollback.failed.map(({ name }) => name));
  return {
    announced, streams_reset, handled: drained.handled, returned: drained.returned, replies_unsent, hooks_timed_out,
    unregistered, lanes_forced: forced ? lanes : 0, unfinished, elapsed_ms: clock.monotonic() - begun,
  };

  /** A wait that gives what it has when its signal aborts. */
  async function whatIs<T>(ms: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    using time = hurry.within(ms * scale);
    return await run(time.signal);
  }

  async function endWorkload(): Promise<number> {
    const limitMs = hurry.atMost(limits.workloadMsMax * scale);
    const due = start.started;
    start.started = false;
    const stop = due ? await pressed(limitMs, hooks.lifecycle("stop", { limitMs })) : { is: "done" as const };
    const closed = await step("workload", limits.workloadMsMax, false, async (signal) => {
      await workload.close({ signal });
      return true;
    });
    return (stop === undefined || stop.is === "failed" && stop.late ? 1 : 0) + (closed ? 0 : 1);
  }

  /** Waits no longer than the step has; what bounds itself ends before that, unless somebody hurries. */
  async function pressed<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
    using time = hurry.within(ms + LATE_MS);
    const over = new Promise<undefined>((resolve) => time.signal.addEventListener("abort", () => resolve(undefined), { once: true }));
    return await Promise.race([work, over]);
  }
}

function textOf(error: unknown): string {
  return isFault(error) ? error.message : String(error);
}
