/**
 * `npm run prove`: the long proofs of `test/prove/*.prove.ts` and the bars of `bench/`. Each runs the largest
 * slice that fits its part of its issue's minutes, with a fresh seed. `--seed N` repeats a run, `--only NAME`
 * picks, `--full` does all rounds and goes on where a stopped run ended, `--restart` forgets that. The last
 * line is `N passed, N failed`.
 */
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isBuilt } from "./build/stamp.ts";
import { build } from "./build.ts";
import { onInterrupt } from "./child.ts";
import { formatMs, Progress } from "./progress.ts";
import { claimOf, readAgenda, type Item, type ProofItem } from "./prove/agenda.ts";
import { proveBars } from "./prove/bars.ts";
import { Share } from "./prove/plan.ts";
import { SHARE_MINUTES, type Issue } from "./prove/proof.ts";
import { runProof } from "./prove/run-proof.ts";
import { ProofState } from "./prove/state.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
const USAGE = "usage: npm run prove [-- --only NAME --seed N --full --restart]";

interface Options {
  readonly only: string | undefined;
  readonly seed: number | undefined;
  readonly full: boolean;
  readonly restart: boolean;
}

export async function main(args: readonly string[], root = ROOT): Promise<number> {
  const options = readOptions(args);
  if (!options) return 2;
  if (!isBuilt(root)) await build(root);
  const agenda = await readAgenda(root, options.only);
  if (agenda.size === 0) {
    console.error(options.only === undefined ? "nothing to prove in test/prove and bench"
      : `no proof is called ${options.only}`);
    return 1;
  }
  const run = new Run(root, options);
  for (const [issue, items] of agenda) await run.issue(issue, items);
  return run.conclude();
}

class Run {
  readonly #root: string;
  readonly #options: Options;
  readonly #seed: number;
  readonly #state: ProofState;
  readonly #progress = new Progress();
  readonly #signal = onInterrupt();
  #passed = 0;
  #failed = 0;

  constructor(root: string, options: Options) {
    this.#root = root;
    this.#options = options;
    this.#seed = options.seed ?? randomInt(2 ** 32);
    this.#state = new ProofState(root);
    if (!options.full) this.#progress.line(`seed ${this.#seed}`);
  }

  async issue(issue: Issue, items: readonly Item[]): Promise<void> {
    const allowedMs = SHARE_MINUTES[issue] * 60_000;
    const share = new Share(allowedMs, items.map(claimOf));
    const start = performance.now();
    for (const item of items) {
      if (this.#signal.aborted) return;
      const began = performance.now();
      const partMs = this.#options.full ? undefined : share.allow(item.name);
      if (item.kind === "bars") await this.#bars(item.files, partMs);
      else if (partMs === undefined) await this.#full(item);
      else await this.#slice(item, partMs);
      share.settle(item.name, performance.now() - began);
    }
    const allowed = this.#options.full ? "" : ` of ${formatMs(allowedMs)}`;
    this.#progress.line(`issue ${issue}: ${formatMs(performance.now() - start)}${allowed} used`);
  }

  /** The largest slice that fits. */
  async #slice(item: ProofItem, allowedMs: number): Promise<void> {
    const count = item.facts.full;
    const result = await runProof({
      root: this.#root, file: item.file, seed: this.#seed, from: 0, count, allowedMs, signal: this.#signal,
      deadlineAtMs: Date.now() + allowedMs,
      onRounds: (done) => this.#progress.status(`${item.name}: ${done} of ${count} rounds`),
    });
    if (result.interrupted) return;
    const failures = result.rounds === 0 && result.failures.length === 0
      ? [`no round ended within ${formatMs(allowedMs)}`] : result.failures;
    this.#tell(item, `${result.rounds} of ${count} rounds, ${formatMs(result.ms)} of ${formatMs(allowedMs)}`,
      failures.map((text) => `${text} (npm run prove -- --only ${item.name} --seed ${this.#seed})`));
  }

  /** All rounds, from where the last run ended. */
  async #full(item: ProofItem): Promise<void> {
    const { name, facts: { full } } = item;
    if (this.#options.restart) this.#state.forget(name);
    const standing = this.#state.find(name, this.#options.seed)
      ?? { seed: this.#seed, done: 0, failures: [] };
    const { seed, done: from } = standing;
    if (from < full) {
      const place = from === 0 ? "" : `goes on at round ${from} of `;
      this.#progress.line(`${name}: seed ${seed}, ${place}${full} rounds`);
      const keep = (rounds: number, failures: readonly string[] = []): void => {
        this.#state.keep(name, { seed, done: from + rounds, failures: [...standing.failures, ...failures] });
      };
      const result = await runProof({
        root: this.#root, file: item.file, seed, from, count: full - from, signal: this.#signal,
        allowedMs: undefined, deadlineAtMs: Number.MAX_SAFE_INTEGER,
        onRounds: (rounds) => {
          keep(rounds);
          this.#progress.status(`${name}: ${from + rounds} of ${full} rounds`);
        },
      });
      keep(result.rounds, result.interrupted ? [] : result.failures);
      if (result.interrupted) return;
    }
    const { done, failures } = this.#state.find(name, seed) ?? standing;
    const short = done < full && failures.length === 0 ? [`stopped after ${done} of ${full} rounds`] : [];
    const before = from >= full ? ", done before (--restart does it again)" : "";
    this.#tell(item, `${done} of ${full} rounds, seed ${seed}${before}`, [...failures, ...short]);
  }

  async #bars(files: readonly string[], allowedMs: number | undefined): Promise<void> {
    const results = await proveBars({
      root: this.#root, files, allowedMs, signal: this.#signal,
      onStatus: (text) => this.#progress.status(text),
    });
    if (this.#signal.aborted) return;
    for (const { name, text, passed } of results) {
      this.#count(passed);
      this.#progress.line(`${passed ? "ok  " : "FAIL"} bar ${name}: ${text}`);
    }
  }

  #tell(item: ProofItem, figures: string, failures: readonly string[]): void {
    const passed = failures.length === 0;
    this.#count(passed);
    this.#progress.line(`${passed ? "ok  " : "FAIL"} ${item.name}: ${item.facts.title}  ${figures}`);
    for (const text of failures) this.#progress.line(`     ${text}`);
  }

  #count(passed: boolean): void {
    if (passed) this.#passed += 1;
    else this.#failed += 1;
  }

  conclude(): number {
    this.#progress.end();
    if (this.#signal.aborted) {
      console.log("interrupted");
      this.#failed += 1;
    }
    console.log(`\n${this.#passed} passed, ${this.#failed} failed`);
    return this.#failed === 0 ? 0 : 1;
  }
}

function readOptions(args: readonly string[]): Options | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: {
      only: { type: "string" }, seed: { type: "string" },
      full: { type: "boolean", default: false }, restart: { type: "boolean", default: false },
    } });
    const seed = values.seed === undefined ? undefined : Number(values.seed);
    if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
      throw new Error(`--seed ${values.seed} is no integer from 0 to 2^32 - 1`);
    }
    if (values.restart && !values.full) throw new Error("--restart goes with --full");
    return { only: values.only, seed, full: values.full, restart: values.restart };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return undefined;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
