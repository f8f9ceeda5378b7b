/**
 * Child processes of the tools: each in a group of its own, with a deadline, its output bounded, nothing left
 * behind.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";

export interface ChildOrder {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** From start to end; then the whole group is killed. */
  readonly timeoutMs: number;
  /** Kills the group too. */
  readonly signal?: AbortSignal;
  /** Opens a channel for `process.send` in the child and hears what it says. */
  readonly onMessage?: (message: unknown) => void;
  /** When it aborts, the child is sent the message `stop`; needs `onMessage`. */
  readonly stopSignal?: AbortSignal;
}

export interface ChildEnd {
  /** Null when a signal ended it or it could not start. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  /** True when processes of its group were still there one second after its end; they have been killed. */
  readonly leftBehind: boolean;
  /** Standard output and error as they came, at most the last {@link OUTPUT_CHARS_MAX} characters. */
  readonly output: string;
  readonly ms: number;
}

/** A test that floods its output must not fill our memory; what matters is at the end. */
const OUTPUT_CHARS_MAX = 256 * 1024;
const GROUP_GRACE_MS = 1000;

/**
 * Runs one child to its end. Does not throw: a command that cannot start has code null and the reason as
 * output.
 */
export async function runChild(order: ChildOrder): Promise<ChildEnd> {
  const start = performance.now();
  const child = spawn(order.command, order.args, {
    cwd: order.cwd, env: { ...process.env, ...order.env }, detached: process.platform !== "win32",
    stdio: ["ignore", "pipe", "pipe", ...order.onMessage ? ["ipc" as const] : []],
  });
  let output = "";
  const keep = (text: string): void => { output = (output + text).slice(-OUTPUT_CHARS_MAX); };
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", keep);
  if (order.onMessage) child.on("message", order.onMessage);
  let timedOut = false;
  const kill = (): void => killGroup(child);
  const timer = setTimeout(() => { timedOut = true; kill(); }, order.timeoutMs);
  const stop = (): void => { if (child.connected) child.send("stop", () => undefined); };
  order.signal?.addEventListener("abort", kill);
  order.stopSignal?.addEventListener("abort", stop);
  try {
    if (order.signal?.aborted) kill();
    if (order.stopSignal?.aborted) stop();
    const { code, signal } = await exitOf(child, keep);
    const leftBehind = await endGroup(child);
    await closed(child);
    return { code, signal, timedOut, leftBehind, output, ms: performance.now() - start };
  } finally {
    clearTimeout(timer);
    order.signal?.removeEventListener("abort", kill);
    order.stopSignal?.removeEventListener("abort", stop);
  }
}

type Exit = Pick<ChildEnd, "code" | "signal">;

function exitOf(child: ChildProcess, say: (text: string) => void): Promise<Exit> {
  return new Promise((done) => {
    child.once("error", (error) => {
      say(`${error.message}\n`);
      if (child.pid === undefined) done({ code: null, signal: null });
    });
    child.once("exit", (code, signal) => done({ code, signal }));
  });
}

/** The streams end with the last process that holds them; one that left the group may hold them for ever. */
async function closed(child: ChildProcess): Promise<void> {
  const streams = [child.stdout, child.stderr].filter((stream) => stream && !stream.closed);
  const all = Promise.all(streams.map((stream) => new Promise((done) => stream?.once("close", done))));
  const patience = new AbortController();
  const late = delay(GROUP_GRACE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
  await Promise.race([all, late]);
  patience.abort();
  for (const stream of streams) stream?.destroy();
  if (child.connected) child.disconnect();
}

/** Waits a moment for the rest of the group; true when it had to be killed. */
async function endGroup(child: ChildProcess): Promise<boolean> {
  const until = performance.now() + GROUP_GRACE_MS;
  while (groupLives(child)) {
    if (performance.now() > until) {
      killGroup(child);
      return true;
    }
    await delay(20);
  }
  return false;
}

function groupLives(child: ChildProcess): boolean {
  return signalGroup(child, 0);
}

function killGroup(child: ChildProcess): void {
  if (!signalGroup(child, "SIGKILL")) child.kill("SIGKILL");
}

/** False when there is no such group (any more). */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (child.pid === undefined || process.platform === "win32") return false;
  try {
    return process.kill(-child.pid, signal);
  } catch {
    return false;
  }
}

/**
 * A signal that aborts at the first SIGINT or SIGTERM; from then on the tool has time to end its children.
 */
export function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => controller.abort(new Error(`interrupted by ${name}`)));
  }
  return controller.signal;
}
