/** Errors of tasks that nobody has joined yet. What nobody ever takes becomes a warning, once. */
import type { Tenant } from "../../thread/tenant.ts";

/** Failures that are remembered; beyond it a failure is told at once. */
const FAILURES_MAX = 1000;
const TEXT_MAX = 500;

interface Failure {
  readonly name: string | undefined;
  readonly text: string;
  readonly scope: number | undefined;
}

export class Failures {
  readonly #isle: Tenant;
  readonly #open = new Map<number, Failure>();

  constructor(isle: Tenant) {
    this.#isle = isle;
    isle.onClose.push(() => {
      for (const n of [...this.#open.keys()]) this.tell(n);
    });
  }

  add(n: number, failure: Failure): void {
    this.#open.set(n, { ...failure, text: failure.text.slice(0, TEXT_MAX) });
    if (this.#open.size > FAILURES_MAX) this.tell(n);
  }

  /** Somebody joined the task. */
  taken(n: number): void {
    this.#open.delete(n);
  }

  /** Nobody can join it any more. */
  tell(n: number): void {
    const failure = this.#open.get(n);
    if (failure === undefined) return;
    this.#open.delete(n);
    const id = `t${n}`;
    const who = failure.name === undefined ? id : `${id} (${failure.name})`;
    const msg = `task ${who} failed and nobody joined it: ${failure.text}`;
    this.#isle.note("warn", "block", msg, { task: id });
  }

  /** The scope has ended, and nobody joined these of its children. */
  tellScope(scope: number): void {
    for (const [n, failure] of this.#open) if (failure.scope === scope) this.tell(n);
  }
}
