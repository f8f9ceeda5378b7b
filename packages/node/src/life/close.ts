/**
 * The end of a node (spec: node 3.3): each step has its time, one that runs out is reported and the next begins.
 *
 * takes a node that runs; gives a report; promises that afterwards no timer, socket, worker or lease of it is left;
 * refuses nothing: what hangs is given up; never gives up a message that was accepted: it goes back into the mailbox.
 */
import { isFault, nodeError, withDeadline, type Clock, type Log, type Workload } from "@atoll-run/core";
import { NODE_LIMITS } from "../limits.ts";
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
}

export interface CloseParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly start: Start;
  readonly workload: Workload;
}

const LIMITS = NODE_LIMITS.life;

/** Never throws. */
export async function closeNode(parts: CloseParts, o: CloseOptions): Promise<CloseReport> {
  const { clock, start, workload } = parts;
  const { hooks, inbox, gate, network, table } = start.rooms;
  const begun = clock.monotonic();
  const scale = Math.min(1, (o.deadlineMs ?? LIMITS.closeMsMax) / LIMITS.closeMsMax);
  const unfinished: string[] = [];
  const step = async <T>(name: string, ms: number, otherwise: T, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    try {
      return await withDeadline(run, { clock, ms: Math.max(1, ms * scale), what: `closing the node: ${name}` });
    } catch (error) {
      unfinished.push(name);
      parts.log.write({ level: "warn", target: "node", msg: `closing: ${name} was given up`, fields: { reason: textOf(error) } });
      return otherwise;
    }
  };

  const announced = network === undefined
    || await step("announce", LIMITS.announceMsMax, false, (signal) => network.drain({ signal }));
  inbox.stopIntake();
  gate.drain();
  const streams_reset = await whatIs(clock, LIMITS.streamsMsMax * scale, (signal) => gate.drainStreams(signal));
  const drained = await inbox.drain({ deadlineMs: LIMITS.handlersMsMax * scale });
  const replies_unsent = await whatIs(clock, LIMITS.repliesMsMax * scale, (signal) => gate.flushed(signal));
  const hooks_timed_out = await endWorkload();
  const unregistered = network === undefined
    || await step("unregister", LIMITS.unregisterMsMax, false, (signal) => network.unregister({ signal }));
  const lanes = table.size;
  const rollback = await start.scope.undoAll();
  const forced = rollback.unfinished.includes("peers") || rollback.unfinished.includes("listeners");
  unfinished.push(...rollback.unfinished, ...rollback.failed.map(({ name }) => name));
  return {
    announced, streams_reset, handled: drained.handled, returned: drained.returned, replies_unsent, hooks_timed_out,
    unregistered, lanes_forced: forced ? lanes : 0, unfinished, elapsed_ms: clock.monotonic() - begun,
  };

  async function endWorkload(): Promise<number> {
    const limitMs = LIMITS.workloadMsMax * scale;
    const due = start.started;
    start.started = false;
    const stop = due ? await hooks.lifecycle("stop", { limitMs }) : { is: "done" as const };
    const closed = await step("workload", LIMITS.workloadMsMax, false, async (signal) => {
      await workload.close({ signal });
      return true;
    });
    return (stop.is === "failed" && stop.late ? 1 : 0) + (closed ? 0 : 1);
  }
}

/** A wait that gives what it has when its signal aborts. */
async function whatIs<T>(clock: Clock, ms: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  using _ = clock.after(ms, () => over.abort(nodeError("node.draining", "the node is closing")));
  return await run(over.signal);
}

function textOf(error: unknown): string {
  return isFault(error) ? error.message : String(error);
}
