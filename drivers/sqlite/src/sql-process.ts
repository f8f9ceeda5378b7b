/** The parent's end of one SQL child: start, ask, kill, end. */
import { spawn, type ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { FrameReader, encodeFrame } from "./sql-frames.ts";
import { READY, type ChildAnswer, type ChildRequest } from "./sql-protocol.ts";

/** From spawn to the first frame. Long, because a loaded machine is no reason to fail a statement. */
const START_MS = 30_000;
/** Between the end of its input and SIGKILL. */
const END_MS = 2_000;
/** What is kept of its stderr, for the text of a failed start. */
const STDERR_CHARS_MAX = 4_096;

export class SqlProcess {
  /** Settled when the child takes requests; true = ready, false = it ended before. */
  readonly started: Promise<boolean>;
  /** How it ended: `exit code 1`, `signal SIGKILL`, or the error of spawn. */
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  readonly #lifeline: Writable;
  readonly #answers: ((answer: ChildAnswer | undefined) => void)[] = [];
  readonly #startTimer: NodeJS.Timeout;
  #markStarted: (ready: boolean) => void;
  #stderr = "";
  /** True from the first frame to the end. */
  ready = false;
  /** It came as far as to be ready. */
  wasReady = false;
  /** True from the kill, the end or the exit on: no new requests. */
  ending = false;

  constructor() {
    const ext = import.meta.url.slice(import.meta.url.lastIndexOf("."));
    this.#child = spawn(process.execPath, [
      "--disable-warning=ExperimentalWarning", fileURLToPath(new URL(`./sql-child${ext}`, import.meta.url)),
    ], { stdio: ["pipe", "pipe", "pipe", "pipe"], env: minimalEnv(), windowsHide: true });
    this.#lifeline = this.#child.stdio[3] as Writable;
    ({ promise: this.started, resolve: this.#markStarted } = Promise.withResolvers<boolean>());
    this.exited = this.#watchExit();
    this.#startTimer = setTimeout(() => this.kill(), START_MS);
    const reader = new FrameReader();
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#hear(reader, chunk));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX);
    });
    // Writing to a child that has just died is no news: its exit is.
    for (const pipe of [this.#child.stdin, this.#lifeline]) pipe?.on("error", () => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Last words on stderr. */
  get stderr(): string {
    return this.#stderr.trim();
  }

  /** The answer, or undefined when the child ended before it. Requests are run in order. */
  request(request: ChildRequest): Promise<ChildAnswer | undefined> {
    const { promise, resolve } = Promise.withResolvers<ChildAnswer | undefined>();
    if (this.ending) resolve(undefined);
    else {
      this.#answers.push(resolve);
      this.#child.stdin?.write(encodeFrame(request));
    }
    return promise;
  }

  /** A folder that the child removes when its parent dies. */
  guard(folder: string): void {
    this.#lifeline.write(`${JSON.stringify(folder)}\n`);
  }

  /** Ends it in the middle of whatever it does; SQLite rolls back when the file is opened next. */
  kill(): void {
    this.ending = true;
    this.#child.kill("SIGKILL");
  }

  /** Lets it finish and close its databases; killed after 2 s. */
  async end(): Promise<void> {
    this.ending = true;
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.kill(), END_MS);
    await this.exited;
    clearTimeout(timer);
  }

  #watchExit(): Promise<string> {
    return new Promise((resolve) => {
      const gone = (how: string): void => {
        clearTimeout(this.#startTimer);
        this.ending = true;
        this.ready = false;
        this.#markStarted(false);
        for (const settle of this.#answers.splice(0)) settle(undefined);
        this.#lifeline.destroy();
        resolve(how);
      };
      this.#child.once("exit", (code, signal) => {
        gone(signal === null ? `exit code ${code}` : `signal ${signal}`);
      });
      this.#child.once("error", (error) => gone(error.message));
    });
  }

  #hear(reader: FrameReader, chunk: Buffer): void {
    try {
      for (const value of reader.push(chunk)) {
        if (value === READY) {
          clearTimeout(this.#startTimer);
          this.ready = true;
          this.wasReady = true;
          this.#markStarted(true);
        } else this.#answers.shift()?.(value as ChildAnswer);
      }
    } catch {
      // What cannot be read can never be read again: whoever waits hears of the exit.
      this.kill();
    }
  }
}

/** Nothing of the parent's variables; the time zone, because SQL can ask for local time. */
function minimalEnv(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { TZ: Intl.DateTimeFormat().resolvedOptions().timeZone };
  // Windows cannot start a program without it.
  if (process.platform === "win32") env["SystemRoot"] = process.env["SystemRoot"];
  return env;
}
