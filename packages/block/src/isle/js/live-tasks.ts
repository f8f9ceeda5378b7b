/** Tasks of an isle: those that run, and errors of those that nobody has joined. */
import type { Output } from "../thread/output.ts";

/** Failures that are remembered; beyond it the oldest is told at once. */
const FAILURES_MAX = 1000;
const TEXT_MAX = 500;

export class LiveTasks {
  readonly #output: Output;
  readonly #names = new Map<number, string>();
  readonly #failed = new Map<number, { readonly who: string; readonly text: string }>();

  constructor(output: Output) {
    this.#output = output;
  }

  get size(): number {
    return this.#names.size;
  }

  get names(): string[] {
    return [...this.#names.values()];
  }

  begun(n: number, name: string): void {
    this.#names.set(n, name);
  }

  ended(n: number): void {
    this.#names.delete(n);
  }

  /** `name` is empty for a task without one. */
  failed(n: number, name: string, text: string): void {
    this.#failed.set(n, { who: name === "" ? `t${n}` : `t${n} (${name})`, text: text.slice(0, TEXT_MAX) });
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > FAILURES_MAX && oldest !== undefined) this.#tell(oldest);
  }

  /** Somebody joined the task. */
  taken(n: number): void {
    this.#failed.delete(n);
  }

  /** Nobody can join any more: what nobody took is told. */
  close(): void {
    for (const n of [...this.#failed.keys()]) this.#tell(n);
  }

  #tell(n: number): void {
    const failure = this.#failed.get(n);
    if (failure === undefined) return;
    this.#failed.delete(n);
    const msg = `task ${failure.who} failed and nobody joined it: ${failure.text}`;
    this.#output.note({ level: "warn", target: "block", msg, fields: { task: `t${n}` } });
  }
}
