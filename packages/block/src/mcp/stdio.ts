/**
 * MCP over the pipes of a child process: one message in a line. takes a child of the runner; gives messages;
 * promises that whatever the child writes stays within bounds, that its death is told once with its last
 * words, and that `close` leaves nothing of its group; refuses a message that the child does not read.
 */
import { type Clock, withDeadline } from "@atoll-run/core";
import type { Child, Exit } from "../children/runner.ts";
import { OutputRing } from "../children/ring.ts";
import { signalProcess } from "../children/sweep.ts";
import { type Line, Lines } from "./lines.ts";
import { failure, type Message, type Pipe } from "./pipe.ts";

export interface StdioParts {
  readonly child: Child;
  readonly clock: Clock;
  readonly warn: (msg: string) => void;
}

export interface StdioLimits {
  /** One message; also what may wait for a child that does not read. */
  readonly messageBytesMax: number;
  readonly stderrBytesMax: number;
  /** From the end of input to SIGTERM, and from there to SIGKILL, milliseconds. */
  readonly stopMs: number;
}

/** Milliseconds in which the last output of a child that ended may still arrive. */
const LAST_WORDS_MS = 250;
/** Warnings about output that is no message; a program that floods is not worth more. */
const GARBAGE_WARNINGS_MAX = 5;
const SHOWN_CHARS = 120;

export class StdioPipe implements Pipe {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: Message, text?: string) => void;
  readonly #parts: StdioParts;
  readonly #limits: StdioLimits;
  readonly #lines: Lines;
  readonly #stderr: OutputRing;
  readonly #ended: Promise<Exit>;
  #garbage = 0;
  #closing: Promise<void> | undefined;
  #exit: Exit | undefined;
  /** True when only SIGKILL ended the child. */
  killed = false;

  constructor(parts: StdioParts, limits: StdioLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#lines = new Lines(limits.messageBytesMax);
    this.#stderr = new OutputRing(limits.stderrBytesMax);
    const { child } = parts;
    child.stderr?.on("data", (chunk: Uint8Array) => this.#stderr.push(chunk));
    this.#ended = this.#end();
  }

  start(): Promise<void> {
    const { stdout } = this.#parts.child;
    const hear = (line: Line): void => this.#hear(line);
    stdout?.on("data", (chunk: Uint8Array) => this.#lines.push(chunk, hear));
    return Promise.resolve();
  }

  // async: what it throws rejects
  async send(message: Message): Promise<void> {
    this.sendText(JSON.stringify(message));
  }

  /** `text`: a message without line ends. */
  sendText(text: string): void {
    const { stdin } = this.#parts.child;
    if (this.#exit !== undefined || stdin === null || !stdin.writable) {
      throw new Error("the server has ended");
    }
    if (stdin.writableLength + text.length > Math.max(this.#limits.messageBytesMax, text.length)) {
      throw new Error("the server does not read its input");
    }
    stdin.write(`${text}\n`);
  }

  /** How the child ended, in words: `exited (code 3): <last stderr line>`; undefined while it lives. */
  get ending(): string | undefined {
    if (this.#exit === undefined) return undefined;
    const { code, signal } = this.#exit;
    const line = this.#lastLine();
    const how = signal === null ? `code ${code ?? 0}` : `signal ${signal}`;
    return `exited (${how})${line === "" ? "" : `: ${line}`}`;
  }

  /** What the child wrote to stderr: the last part. */
  stderr(): string {
    return Buffer.from(this.#stderr.bytes()).toString();
  }

  #lastLine(): string {
    return this.stderr().split(/\r?\n/).findLast((line) => line.trim() !== "")?.trim() ?? "";
  }

  async #end(): Promise<Exit> {
    const { child, clock } = this.#parts;
    const exit = await child.exited;
    // Somebody it forked may hold its output open.
    await withDeadline(() => child.closed, { clock, ms: LAST_WORDS_MS }).catch(() => undefined);
    const last = this.#lines.end();
    if (last !== undefined) this.#hear(last);
    this.#exit = exit;
    this.onclose?.();
    return exit;
  }

  #hear(line: Line): void {
    if ("tooLong" in line) {
      this.#tooLong(line);
      return;
    }
    if (line.text.trim() === "") return;
    let message: unknown;
    try {
      message = JSON.parse(line.text);
    } catch {
      message = undefined;
    }
    if (typeof message !== "object" || message === null || !("jsonrpc" in message)) {
      this.#warnGarbage(line.text);
      return;
    }
    this.onmessage?.(message as Message, line.text);
  }

  #tooLong({ tooLong, head, tail }: Extract<Line, { tooLong: number }>): void {
    const max = this.#limits.messageBytesMax;
    const why = `message too large: ${tooLong} bytes (max ${max})`;
    this.#warnGarbage(why);
    const id = /^\{"jsonrpc":"2\.0","id":(\d+),/.exec(head)?.[1] ?? /^\{"id":(\d+),/.exec(head)?.[1]
      ?? /,"id":(\d+)(?:,"jsonrpc":"2\.0")?\}\s*$/.exec(tail)?.[1];
    if (id !== undefined) this.onmessage?.(failure(Number(id), why));
  }

  #warnGarbage(text: string): void {
    this.#garbage++;
    if (this.#garbage > GARBAGE_WARNINGS_MAX) return;
    const more = this.#garbage === GARBAGE_WARNINGS_MAX ? " (not told again)" : "";
    this.#parts.warn(`output that is no message: ${text.slice(0, SHOWN_CHARS)}${more}`);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const { child } = this.#parts;
    child.stdin?.end();
    if (!(await this.#within()) && signalProcess(-child.pid, "SIGTERM") && !(await this.#within())) {
      this.killed = true;
      signalProcess(-child.pid, "SIGKILL");
    }
    // What the group leaves behind goes too.
    await child.kill();
    await this.#ended;
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
  }

  /** True when the child ended within the time. */
  #within(): Promise<boolean> {
    const { child, clock } = this.#parts;
    return withDeadline(() => child.exited, { clock, ms: this.#limits.stopMs }).then(() => true, () => false);
  }
}
