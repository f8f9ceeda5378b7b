/** Runs one proof in a process of its own, so that a crash is one failure and a hang has an end. */
import { fileURLToPath } from "node:url";
import { runChild } from "../child.ts";
import { formatMs } from "../progress.ts";
import type { ChildMessage, ChildOrder } from "./proof-child.ts";
import type { Proof } from "./proof.ts";

const CHILD = fileURLToPath(new URL("./proof-child.ts", import.meta.url));
const LOAD_TIMEOUT_MS = 30_000;
/** A full run has no deadline, but one round that takes this long hangs. */
const SILENCE_MS_MAX = 15 * 60_000;
/** Grace after the share, or after an interrupt, until the process is killed. */
const GRACE_MS = 60_000;
/** The longest a timer can wait; {@link Patience} ends it sooner. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;
const END_GRACE_MS = 10_000;

export type ProofFacts = Omit<Proof, "run">;

/**
 * Reads issue, title and counts of a proof file. Throws with what the file printed when it cannot be loaded.
 */
export async function readProof(root: string, file: string): Promise<ProofFacts> {
  let facts: ProofFacts | undefined;
  const end = await runChild({
    command: process.execPath, args: [CHILD, file], cwd: root, timeoutMs: LOAD_TIMEOUT_MS,
    onMessage: (message) => {
      const told = message as ChildMessage;
      if (told.kind === "facts") facts = told.facts;
    },
  });
  if (!facts) throw new Error(`${file} cannot be loaded as a proof:\n${end.output.trimEnd()}`);
  return facts;
}

export interface RunOrder extends ChildOrder {
  readonly root: string;
  readonly file: string;
  /** Milliseconds until the deadline, or undefined for a full run. */
  readonly allowedMs: number | undefined;
  readonly signal: AbortSignal;
  /** Hears how many rounds of this run are done. */
  readonly onRounds: (done: number) => void;
}

export interface RunResult {
  readonly rounds: number;
  readonly failures: readonly string[];
  readonly ms: number;
  /** True when somebody interrupted it: then nothing is proven either way. */
  readonly interrupted: boolean;
}

export async function runProof(order: RunOrder): Promise<RunResult> {
  const { seed, from, count, deadlineAtMs, allowedMs } = order;
  let rounds = 0;
  let failures: readonly string[] | undefined;
  const patience = new Patience();
  patience.until((allowedMs ?? SILENCE_MS_MAX) + GRACE_MS, "did not end in its time");
  const onMessage = (message: unknown): void => {
    const told = message as ChildMessage;
    if (told.kind === "result") {
      ({ rounds, failures } = told.result);
      patience.until(END_GRACE_MS, "left something open that keeps its process alive");
    }
    if (told.kind !== "rounds") return;
    rounds = told.done;
    order.onRounds(rounds);
    if (allowedMs === undefined) patience.until(SILENCE_MS_MAX, "did not finish a round");
  };
  const interrupt = (): void => patience.until(END_GRACE_MS, "did not stop when interrupted");
  order.signal.addEventListener("abort", interrupt);
  try {
    const end = await runChild({
      command: process.execPath, cwd: order.root, timeoutMs: NO_TIMEOUT_MS, onMessage,
      signal: patience.signal, stopSignal: order.signal,
      args: [CHILD, order.file, JSON.stringify({ seed, from, count, deadlineAtMs } satisfies ChildOrder)],
    });
    const trouble: string[] = [];
    if (patience.signal.aborted) {
      trouble.push(`${patience.complaint} and was killed after ${formatMs(end.ms)}`);
    } else if (failures === undefined || end.code !== 0) {
      const how = end.signal ?? `exit code ${end.code}`;
      trouble.push(`its process ended with ${how}:\n${end.output.trimEnd()}`);
    }
    if (end.leftBehind) trouble.push("left child processes running");
    const all = [...failures ?? [], ...trouble];
    return { rounds, failures: all, ms: end.ms, interrupted: order.signal.aborted };
  } finally {
    patience.end();
    order.signal.removeEventListener("abort", interrupt);
  }
}

/** A deadline that is set anew at each sign of life, with what to say when it passes. */
class Patience {
  readonly #over = new AbortController();
  readonly signal = this.#over.signal;
  complaint = "";
  #timer: NodeJS.Timeout | undefined;

  until(ms: number, complaint: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.complaint = complaint;
      this.#over.abort();
    }, ms);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
