/** How far the full runs have come: `.prove/state.json`, so that a stopped run goes on. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Standing {
  readonly seed: number;
  readonly done: number;
  readonly failures: readonly string[];
}

interface Stored { readonly version: 1; readonly proofs: Readonly<Record<string, readonly Standing[]>> }

export class ProofState {
  readonly #file: string;
  /** By name of the proof, the last used seed first. */
  readonly #proofs: Map<string, readonly Standing[]>;

  constructor(root: string) {
    this.#file = join(root, ".prove", "state.json");
    this.#proofs = new Map(Object.entries(read(this.#file).proofs));
  }

  /** The standing with this seed, or with the last used one when none is given. */
  find(name: string, seed: number | undefined): Standing | undefined {
    return this.#proofs.get(name)?.find((standing) => seed === undefined || standing.seed === seed);
  }

  /** Written at once: the next moment the machine may be gone. */
  keep(name: string, standing: Standing): void {
    const others = (this.#proofs.get(name) ?? []).filter(({ seed }) => seed !== standing.seed);
    this.#proofs.set(name, [standing, ...others]);
    this.#write();
  }

  forget(name: string): void {
    if (this.#proofs.delete(name)) this.#write();
  }

  #write(): void {
    const stored: Stored = { version: 1, proofs: Object.fromEntries(this.#proofs) };
    mkdirSync(dirname(this.#file), { recursive: true });
    const fresh = `${this.#file}.${process.pid}`;
    try {
      writeFileSync(fresh, `${JSON.stringify(stored, null, 2)}\n`);
      renameSync(fresh, this.#file);
    } finally {
      rmSync(fresh, { force: true });
    }
  }
}

function read(file: string): Stored {
  if (!existsSync(file)) return { version: 1, proofs: {} };
  const stored = JSON.parse(readFileSync(file, "utf8")) as Stored;
  if (stored.version !== 1) throw new Error(`${file} is of another version: delete it to start anew`);
  return stored;
}
