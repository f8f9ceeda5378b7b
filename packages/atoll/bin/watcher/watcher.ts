/**
 * Nothing outlives the program, even when it is killed: a small shell process of its own session holds a pipe
 * to it and ends the children when the pipe ends. It is started with the first child, since most scripts have
 * none.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { ChildWatch } from "@atoll-run/block";

const SCRIPT = new URL("./watch.sh", import.meta.url);

export class ChildWatcher implements ChildWatch {
  readonly mark = randomUUID();
  readonly #groups = new Set<number>();
  readonly #warn: (text: string) => void;
  #process: ChildProcess | undefined;
  #over = false;

  constructor(warn: (text: string) => void) {
    this.#warn = warn;
  }

  starting(): void {
    this.#process ??= this.#start();
  }

  up(group: number): void {
    this.#groups.add(group);
    this.#say(`up ${group}`);
  }

  down(group: number): void {
    this.#groups.delete(group);
    this.#say(`down ${group}`);
  }

  /**
   * SIGKILL to every group, at once. What left its group is ended by the watcher when this process has gone.
   */
  killNow(): void {
    for (const group of this.#groups) {
      try {
        process.kill(-group, "SIGKILL");
      } catch {
        // it has just ended by itself
      }
    }
  }

  /** The run is over and has ended its children: the watcher may go. */
  bye(): void {
    this.#over = true;
    if (this.#groups.size === 0) this.#say("bye");
  }

  #start(): ChildProcess {
    const started = spawn("/bin/sh", [fileURLToPath(SCRIPT), this.mark], {
      // Its own session: what a terminal sends to this program does not reach it.
      detached: true, cwd: "/", env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      stdio: ["pipe", "ignore", "ignore"],
    });
    started.on("error", (error) => this.#warn(`children are not watched: ${error.message}`));
    started.on("exit", () => this.#over || this.#warn("children are not watched: the watcher has ended"));
    started.stdin?.on("error", () => undefined);
    started.unref();
    return started;
  }

  #say(line: string): void {
    this.#process?.stdin?.write(`${line}\n`);
  }
}
