/** Refusals that the host is told of before the script (spec: block 8). */
import type { BlockConfig } from "../config.ts";
import type { Op, Ops } from "../bridges/op.ts";

export class Telling {
  readonly #tell: BlockConfig["denied"];
  /** On their way to the host; as many as ops are open, at most. */
  readonly #open = new Set<Promise<void>>();

  constructor(tell: BlockConfig["denied"]) {
    this.#tell = tell;
  }

  tell(denial: Parameters<NonNullable<BlockConfig["denied"]>>[0]): void {
    if (this.#tell === undefined) return;
    const open = this.#tell(denial).finally(() => this.#open.delete(open));
    this.#open.add(open);
    // Whoever was refused hears what it rejects with.
    open.catch(() => undefined);
  }

  /** The same ops; none answers while the host is being told of a refusal. */
  before(ops: Ops): Ops {
    if (this.#tell === undefined) return ops;
    return Object.fromEntries(Object.entries(ops).map(([name, op]) => [name, this.#wrap(op)]));
  }

  #wrap(op: Op): Op {
    return (args, call) => {
      let given: ReturnType<Op>;
      try {
        given = op(args, call);
      } catch (error) {
        return this.#refuse(error);
      }
      if (given instanceof Promise) return given.then((value) => this.#open.size === 0 ? value : this.#told().then(() => value), (error: unknown) => this.#refuse(error));
      const value = given;
      return this.#open.size === 0 ? value : this.#told().then(() => value);
    };
  }

  async #refuse(error: unknown): Promise<never> {
    await this.#told();
    throw error;
  }

  async #told(): Promise<void> {
    await Promise.all(this.#open);
  }
}
