/**
 * One round of the proof that the demo survives kill -9.
 *
 * Goal: whatever instant it dies at, the next start goes on and the report is the same. Invariant: what was once in the ledger
 * stays there as it was and no number is given twice; what was said to have happened did; every turn ends once, every batch
 * is audited once for the report, every approval is decided once; the report has the bytes of one that was never killed.
 * Method: the program over a small folder of packages, killed at moments drawn by lot, some of them as soon as the ledger has an
 * approval that is open; its ledger read after each death.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { memberScope } from "@atoll-run/mob/internal";
import { openState } from "@atoll-run/sqlite";

export interface DemoRounds extends Disposable {
  /** Sentences that are wrong. */
  run(o: { readonly tag: string; readonly kills: number; readonly random: () => number }): Promise<readonly string[]>;
}

interface World {
  readonly program: string;
  readonly root: string;
  /** What a life that nobody ends takes, and what it writes. */
  readonly wholeMs: number;
  readonly report: string;
}

interface Life {
  readonly code: number | null;
  readonly said: string;
  readonly tookMs: number;
}

interface Entry {
  readonly seq: number;
  readonly id: string;
  readonly kind: string;
  readonly member?: string;
  readonly run_id?: string;
  readonly turn_id?: string;
  readonly step_id?: string;
  readonly principal?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const PACKAGES = 60;
const BATCHES = 3;
const MEMBERS = ["scout", "auditor-1", "auditor-2", "auditor-3", "auditor-4", "editor"];
/** Far above what a start needs on a busy machine. */
const LIFE_MS_MAX = 90_000;
const FINAL = new Set(["turn_done", "turn_failed", "turn_cancelled", "turn_expired", "turn_dead"]);
const PAGE = 1_000;

export async function openDemoRounds(program: string): Promise<DemoRounds> {
  const root = mkdtempSync(join(tmpdir(), "atoll-mob-demo-"));
  makePackages(join(root, "project/node_modules"));
  const open = { program, root };
  const first = await live(open, "unkilled", undefined);
  if (first.code !== 0) throw new Error(`the demo did not come to its end: ${first.said}`);
  // A home and a compile cache are there now: this is how long the others take.
  const second = await live(open, "unkilled", undefined);
  const world: World = { ...open, wholeMs: second.tookMs, report: reportOf(root, "unkilled") };
  return {
    run: (o) => new Round(world, o).run(),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Some of everything that a report tells of. */
function makePackages(modules: string): void {
  for (let n = 0; n < PACKAGES; n++) {
    const name = n % 5 === 0 ? `@scope/p${n}` : `p${n}`;
    const dir = join(modules, n % 7 === 6 ? `p${n - 1}/node_modules/${name}` : name);
    mkdirSync(dir, { recursive: true });
    const scripts = n % 10 === 3 ? { scripts: { postinstall: "node setup.js" } } : {};
    const license = n % 4 === 1 ? "SSPL-1.0" : "MIT";
    writeFileSync(join(dir, "package.json"), JSON.stringify({ name, version: `1.${n}.0`, license, ...scripts }));
    writeFileSync(join(dir, "setup.js"), "require('child_process');\n".repeat(n));
  }
}

/** Kills it as soon as somebody waits for a decision. */
type Killing = number | "while it asks" | undefined;

const LOOK_MS = 4;
/** Of the kills. */
const ASKING_SHARE = 0.35;

function live({ program, root }: Pick<World, "program" | "root">, tag: string, killing: Killing): Promise<Life> {
  const began = performance.now();
  const child = spawn(process.execPath, [program, "mob", "demo", "project", "--yes", "--out", tag, "--state", `state-${tag}`], {
    cwd: root, env: { PATH: process.env["PATH"] ?? "", ATOLL_HOME: join(root, "home") }, stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), typeof killing === "number" ? killing : LIFE_MS_MAX);
  let said = "";
  // What an earlier life has asked is asked again once this one has gone on.
  const looking = killing === "while it asks" ? setInterval(() => {
    if (said !== "" && isAsking(join(root, `state-${tag}`))) child.kill("SIGKILL");
  }, LOOK_MS) : undefined;
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => void (said += bytes.toString()));
  return once(child, "close").then(([code]) => {
    clearTimeout(timer);
    clearInterval(looking);
    return { code: code as number | null, said, tookMs: performance.now() - began };
  });
}

/** From outside, beside the process that writes. */
function isAsking(state: string): boolean {
  const count = "SELECT count(*) AS n FROM journals WHERE journal = 'ledger' AND body LIKE '%\"kind\":\"' || ? || '\"%'";
  try {
    using db = new DatabaseSync(join(state, "state.sqlite"), { readOnly: true });
    const found = db.prepare(count);
    const of = (kind: string): number => Number(found.get(kind)?.["n"] ?? 0);
    return of("approval_requested") > of("approval_decided");
  } catch {
    // It is not there yet, or being made.
    return false;
  }
}

function reportOf(root: string, tag: string): string {
  return ["report.md", "report.json"].map((file) => readFileSync(join(root, tag, file), "utf8")).join("\n");
}

class Round {
  readonly #world: World;
  readonly #o: Parameters<DemoRounds["run"]>[0];
  readonly #wrong: string[] = [];
  #entries: readonly Entry[] = [];

  constructor(world: World, o: Parameters<DemoRounds["run"]>[0]) {
    this.#world = world;
    this.#o = o;
  }

  async run(): Promise<readonly string[]> {
    const { root, wholeMs, report } = this.#world;
    const { tag, kills, random } = this.#o;
    for (let kill = 0; kill < kills; kill++) {
      const asks = random() < ASKING_SHARE;
      const { said } = await live(this.#world, tag, asks ? "while it asks" : random() * wholeMs);
      await this.#compare(said);
    }
    const last = await live(this.#world, tag, undefined);
    await this.#compare(last.said);
    if (last.code !== 0) this.#wrong.push(`it ended with ${last.code}: ${last.said.slice(-1_000)}`);
    else if (reportOf(root, tag) !== report) this.#wrong.push("the report is another one");
    this.#judge();
    await this.#judgeScopes();
    if (this.#wrong.length > 0) return this.#wrong;
    for (const dir of [tag, `state-${tag}`]) rmSync(join(root, dir), { recursive: true, force: true });
    return this.#wrong;
  }

  get #state(): string {
    return join(this.#world.root, `state-${this.#o.tag}`);
  }

  /** What a life has left, beside what those before it had, and what it has said. */
  async #compare(said: string): Promise<void> {
    const before = this.#entries;
    this.#entries = await readLedger(this.#state);
    const changed = before.find((old, at) => this.#entries[at]?.seq !== old.seq || this.#entries[at].id !== old.id);
    if (changed !== undefined) this.#wrong.push(`entry ${changed.seq} was ${changed.kind} ${changed.id} and is lost or another one`);
    const has = (kind: string, step?: string): boolean =>
      this.#entries.some((entry) => entry.kind === kind && (step === undefined || entry.step_id === step));
    if (/^audits |^goes on /m.test(said) && !has("flow_started")) this.#wrong.push("it said that it audits, and the ledger has no run");
    if (/^scout: /m.test(said) && !has("step_completed", "scan")) this.#wrong.push("what it said of the scout is not in the ledger");
    const approved = (said.match(/^approved as local/gm) ?? []).length;
    const decided = this.#entries.slice(before.length).filter(({ kind }) => kind === "approval_decided").length;
    if (approved > decided) this.#wrong.push(`it said ${approved} approvals and the ledger has ${decided}`);
    if (/^report: /m.test(said) && !has("flow_completed")) this.#wrong.push("it named a report of a run that is not over");
  }

  #judge(): void {
    this.#judgeRuns();
    this.#judgeTurns();
    this.#judgeApprovals();
  }

  #judgeRuns(): void {
    const runs = this.#of((entry) => entry.kind === "flow_started").map(({ run_id }) => run_id ?? "");
    for (const run of runs) {
      const own = this.#of(({ run_id }) => run_id === run);
      if (own.filter(({ kind }) => kind === "flow_completed").length !== 1) this.#wrong.push(`run ${run} did not end once`);
      for (const [step, times] of [["scan", 1], ["audit", BATCHES], ["report", 1]] as const) {
        const answers = own.filter(({ kind, step_id }) => kind === "step_target_completed" && step_id === step);
        const done = answers.map(({ data }) => String(data["target"]));
        if (done.length !== times || new Set(done).size !== times) this.#wrong.push(`run ${run}: ${step} was answered as ${done.join()}`);
      }
    }
    const asked = this.#of(({ kind }) => kind === "approval_requested").length;
    if (asked !== runs.length * 2) this.#wrong.push(`${asked} approvals of ${runs.length} runs`);
  }

  #judgeTurns(): void {
    for (const [turn, own] of Map.groupBy(this.#of(({ kind }) => kind.startsWith("turn_")), ({ turn_id }) => turn_id ?? "")) {
      const kinds = own.map(({ kind }) => kind);
      const ends = kinds.filter((kind) => FINAL.has(kind));
      const begun = kinds.filter((kind) => kind === "turn_queued").length === 1 && kinds[0] === "turn_queued";
      if (!begun || ends.length !== 1 || ends[0] !== "turn_done" || kinds.at(-1) !== "turn_done") {
        this.#wrong.push(`turn ${turn} went as ${kinds.join(" ")}`);
      }
    }
  }

  #judgeApprovals(): void {
    for (const { data } of this.#of(({ kind }) => kind === "approval_requested")) {
      const own = this.#of((entry) => entry.kind.startsWith("approval_") && entry.data["id"] === data["id"]);
      const decisions = own.filter(({ kind }) => kind === "approval_decided");
      if (own.length !== 2 || decisions.length !== 1 || decisions[0]?.principal !== "local") {
        this.#wrong.push(`approval ${String(data["id"])} went as ${own.map(({ kind }) => kind).join(" ")}`);
      }
    }
  }

  #of(test: (entry: Entry) => boolean): readonly Entry[] {
    return this.#entries.filter(test);
  }

  async #judgeScopes(): Promise<void> {
    await using store = await openState({ dir: this.#state });
    for (const member of MEMBERS) {
      const { rows } = await store.usage(memberScope(member));
      if (rows > 0) this.#wrong.push(`${rows} rows of ${member} are stranded`);
    }
  }
}

async function readLedger(dir: string): Promise<readonly Entry[]> {
  await using store = await openState({ dir });
  const entries: Entry[] = [];
  for (let after = 0; ;) {
    const page = await store.journal("ledger", { after, limit: PAGE });
    for (const { seq, body } of page) entries.push({ ...JSON.parse(body) as Omit<Entry, "seq">, seq });
    if (page.length < PAGE) return entries;
    after = page.at(-1)?.seq ?? after;
  }
}
