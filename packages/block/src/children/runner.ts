/**
 * The one place that starts programs for scripts: `sh.exec`, `io.popen`, `os.execute`, MCP servers. takes a
 * program and its surroundings; gives a child with its streams; promises that every child leads its own
 * process group and that the group, and on Linux also what left it, is gone after `killAll`; refuses when too
 * many wait for a place; never lets a secret into an environment that was not granted it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Readable, Writable } from "node:stream";
import { type BlockLimits, type Clock, sleep, withDeadline } from "@atoll-run/core";
import { systemFacts } from "../errno.ts";
import { blockError } from "../errors.ts";
import type { GrantGate } from "../grants/gate.ts";
import { Slots } from "../slots.ts";
import { childEnvironment } from "./environment.ts";
import { groupLives, signalProcess, sweepMarked } from "./sweep.ts";

export interface RunnerParts {
  readonly clock: Clock;
  readonly gate: Pick<GrantGate, "secret" | "restricted">;
  /** Environment of the block with the overlay of its script, asked at each start. */
  readonly env: () => Readonly<Record<string, string>>;
  /** `PATH` of the program itself: in restricted mode a script must not choose which `git` was granted. */
  readonly searchPath: string;
  /**
   * Unique for this run; a watcher may look for it in `ATOLL_CHILD_OF` as `<mark>.<n>`. No `/`.
   */
  readonly mark: string;
  /** Called before each start, so that a watcher can be there before the first child. Must not throw. */
  readonly onStarting?: () => void;
  /** Tells when a group begins and when it is known to be gone. Contract: must not throw. */
  readonly onChild?: (fact: ChildFact) => void;
}

/** Children that live at once; milliseconds between SIGTERM and SIGKILL. */
export type RunnerLimits = Pick<BlockLimits, "childrenLiveMax" | "childStopMs">;

/** `pid` is also the id of the process group. */
export interface ChildFact {
  readonly pid: number;
  readonly state: "up" | "down";
}

export interface ChildSpec {
  /** Shell text (`args` absent), or the name or absolute path of a program. */
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  /** Absolute. */
  readonly cwd: string;
  /** Passes to the child as it is. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly stdin: "pipe" | "ignore";
  /** Who owns the child: it is ended by `killOf` of the same word. */
  readonly owner: string;
  /** Outlives the run: nothing of it is kept, counted or ended. */
  readonly detach?: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** The program itself has ended; its streams may be held open by what it forked. */
  readonly exited: Promise<Exit>;
  /** The program has ended and its streams are at their end. */
  readonly closed: Promise<Exit>;
  /**
   * Ends the whole group: SIGTERM, then SIGKILL, then what carries its mark. Idempotent; resolves when done.
   */
  kill(): Promise<void>;
}

interface Live {
  readonly child: Child;
  readonly owner: string;
  kill(): Promise<void>;
}

interface Adoption {
  readonly mark: string | undefined;
  readonly owner: string;
  readonly place: Disposable | undefined;
}

/** Milliseconds between two looks at a group that was asked to end: at first, and at most. */
const POLL_MS = 5;
const POLL_MS_MAX = 80;
/** Milliseconds to wait for a group to vanish after SIGKILL, which may hang in the kernel. */
const GONE_MS = 1_000;

export class ChildRunner {
  readonly #parts: RunnerParts;
  readonly #slots: Slots;
  readonly #stopMs: number;
  readonly #live = new Set<Live>();
  /** Groups whose leader ended while others in them live on. */
  readonly #left = new Map<number, string>();
  #count = 0;
  #closed = false;

  constructor(parts: RunnerParts, limits: RunnerLimits) {
    this.#parts = parts;
    this.#slots = new Slots({ what: "child processes", limit: limits.childrenLiveMax });
    this.#stopMs = limits.childStopMs;
  }

  /** Children whose leader lives. */
  get live(): number {
    return this.#live.size;
  }

  /**
   * Starts a program, after waiting for a place. Throws `sh.exec` (`exec error: …`) when it cannot be
   * started, or the signal's reason. The signal counts only until then.
   */
  async start(spec: ChildSpec, o: { readonly signal?: AbortSignal } = {}): Promise<Child> {
    const file = await this.#program(spec);
    const place = spec.detach === true ? undefined : await this.#slots.take(o);
    try {
      if (this.#closed) throw execError("the run is ending");
      this.#forgetGone();
      return await this.#spawn(spec, file, place);
    } catch (error) {
      place?.[Symbol.dispose]();
      throw error;
    }
  }

  /** Ends the children of one owner and what they left behind. */
  async killOf(owner: string): Promise<void> {
    const groups = [...this.#left].filter(([, one]) => one === owner).map(([pid]) => pid);
    const live = [...this.#live].filter((one) => one.owner === owner).map((one) => one.kill());
    await Promise.all([...live, ...groups.map((pid) => this.#endGroup(pid))]);
  }

  /**
   * Ends everything this runner ever started, detached children excepted; nothing can be started from then
   * on.
   */
  async killAll(): Promise<void> {
    this.#closed = true;
    const live = [...this.#live].map((one) => one.kill());
    const left = [...this.#left.keys()].map((pid) => this.#endGroup(pid));
    await Promise.all([...live, ...left]);
    if (this.#count > 0) await sweepMarked((mark) => mark.startsWith(`${this.#parts.mark}.`));
  }

  /** SIGKILL to every group, at once and without waiting: for a second signal of the user. */
  killNow(): void {
    this.#closed = true;
    for (const { child } of this.#live) signalProcess(-child.pid, "SIGKILL");
    for (const pid of this.#left.keys()) signalProcess(-pid, "SIGKILL");
  }

  async #program(spec: ChildSpec): Promise<string> {
    const folder = await stat(spec.cwd).catch(() => undefined);
    if (folder?.isDirectory() !== true) {
      throw execError(`cwd ${spec.cwd}: ${systemFacts(folder ? "ENOTDIR" : "ENOENT").strerror}`);
    }
    const name = spec.args === undefined ? "sh" : spec.command;
    if (name.includes("/")) return resolve(spec.cwd, name);
    const own = this.#parts.gate.restricted ? undefined : spec.env?.["PATH"] ?? this.#parts.env()["PATH"];
    for (const folder of (own ?? this.#parts.searchPath).split(":")) {
      const file = join(folder === "" ? spec.cwd : folder, name);
      if (await isProgram(file)) return file;
    }
    if (spec.args === undefined) return "/bin/sh";
    throw execError(`${name}: ${systemFacts("ENOENT").strerror}`);
  }

  #spawn(spec: ChildSpec, file: string, place: Disposable | undefined): Promise<Child> {
    const mark = spec.detach === true ? undefined : `${this.#parts.mark}.${++this.#count}`;
    const env = childEnvironment({
      base: this.#parts.env(), extra: spec.env, mark, secret: (name) => this.#parts.gate.secret(name),
    });
    let started: ChildProcess;
    this.#parts.onStarting?.();
    try {
      started = spawn(file, spec.args ?? ["-c", spec.command], {
        cwd: spec.cwd, env, detached: true, argv0: spec.args === undefined ? "sh" : spec.command,
        stdio: mark === undefined ? "ignore" : [spec.stdin, "pipe", "pipe"],
      });
    } catch (error) {
      throw spawnError(spec, error);
    }
    const { promise, reject } = Promise.withResolvers<never>();
    started.once("error", (error) => reject(spawnError(spec, error)));
    // The id is there at once when the program runs: no moment in which a child is alive and unknown.
    if (started.pid === undefined) return promise;
    promise.catch(() => undefined);
    return Promise.resolve(this.#adopt(started, started.pid, { mark, owner: spec.owner, place }));
  }

  #adopt(started: ChildProcess, pid: number, { mark, owner, place }: Adoption): Child {
    // A child that is gone before it has read its input is no fault of the caller.
    started.stdin?.on("error", () => undefined);
    // What cannot be read is told to whoever reads, and to nobody else.
    for (const output of [started.stdout, started.stderr]) output?.on("error", () => undefined);
    const ending = (event: "exit" | "close"): Promise<Exit> =>
      new Promise((done) => started.once(event, (code, signal) => done({ code, signal })));
    const [exited, closed] = [ending("exit"), ending("close")];
    let killing: Promise<void> | undefined;
    const kill = (): Promise<void> => (killing ??= this.#kill(pid, mark, exited));
    const { stdin, stdout, stderr } = started;
    const child: Child = { pid, stdin, stdout, stderr, exited, closed, kill };
    if (mark === undefined) {
      started.unref();
      return child;
    }
    const live: Live = { child, owner, kill };
    this.#live.add(live);
    this.#tell({ pid, state: "up" });
    started.once("exit", () => {
      this.#live.delete(live);
      place?.[Symbol.dispose]();
      if (signalProcess(-pid, 0)) this.#left.set(pid, owner);
      else this.#tell({ pid, state: "down" });
    });
    return child;
  }

  async #kill(pid: number, mark: string | undefined, exited: Promise<Exit>): Promise<void> {
    await this.#endGroup(pid);
    if (mark !== undefined) await sweepMarked((one) => one === mark);
    const { clock } = this.#parts;
    await withDeadline(() => exited, { clock, ms: GONE_MS }).catch(() => undefined);
    // The end of the leader may have been told after its group was looked at.
    this.#forget(pid);
  }

  async #endGroup(pid: number): Promise<void> {
    signalProcess(-pid, "SIGTERM");
    if (!await this.#gone(pid, this.#stopMs)) {
      signalProcess(-pid, "SIGKILL");
      await this.#gone(pid, GONE_MS);
    }
    this.#forget(pid);
  }

  async #gone(pid: number, withinMs: number): Promise<boolean> {
    const { clock } = this.#parts;
    const until = clock.monotonic() + withinMs;
    for (let waitMs = POLL_MS; await groupLives(pid); waitMs = Math.min(waitMs * 2, POLL_MS_MAX)) {
      if (clock.monotonic() >= until) return false;
      await sleep(waitMs, { clock });
    }
    return true;
  }

  /** Forgets groups that ended by themselves, before the system gives their number to somebody else. */
  #forgetGone(): void {
    for (const pid of this.#left.keys()) {
      if (!signalProcess(-pid, 0)) this.#forget(pid);
    }
  }

  #forget(pid: number): void {
    if (this.#left.delete(pid)) this.#tell({ pid, state: "down" });
  }

  #tell(fact: ChildFact): void {
    this.#parts.onChild?.(fact);
  }
}

async function isProgram(file: string): Promise<boolean> {
  const runnable = await access(file, constants.X_OK).then(() => true, () => false);
  return runnable && await stat(file).then((stats) => stats.isFile(), () => false);
}

function execError(reason: string, cause?: unknown): Error {
  return blockError("sh.exec", `exec error: ${reason}`, { facts: { reason }, cause });
}

function spawnError(spec: ChildSpec, error: unknown): Error {
  const { code, message } = error as { code?: string; message?: string };
  const words = code === "ERR_INVALID_ARG_VALUE" ? "a text for a program cannot hold a NUL byte"
    : code === undefined ? String(message) : systemFacts(code).strerror;
  return execError(spec.args === undefined ? words : `${spec.command}: ${words}`, error);
}
