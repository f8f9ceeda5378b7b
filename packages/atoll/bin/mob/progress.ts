/**
 * How far an audit is, for people: one line that is rewritten on a terminal, plain lines elsewhere.
 * takes a run; gives lines; promises that what it says is in the ledger; refuses nothing; never holds up what it watches.
 */
import type { MobRooms } from "../../src/mob.ts";

export interface Progress extends Disposable {
  /** A line that stays. */
  line(text: string): void;
  /** Settles when all of it is there to be read. */
  flush(): Promise<void>;
}

export interface ProgressParts {
  readonly flush: () => Promise<void>;
  readonly write: (text: string) => void;
  readonly terminal: boolean;
}

/** What the scout answers. */
interface Found {
  readonly packages: number;
  readonly batches: readonly unknown[];
}

export function showProgress(mob: MobRooms, runId: string, parts: ProgressParts): Progress {
  return new Shown(mob, runId, parts);
}

class Shown implements Progress {
  readonly #mob: MobRooms;
  readonly #run: string;
  readonly #parts: ProgressParts;
  readonly #hearing: Disposable;
  #found: Found | undefined;
  #asked = false;
  #done = 0;
  #rewritten = false;

  constructor(mob: MobRooms, run: string, parts: ProgressParts) {
    this.#mob = mob;
    this.#run = run;
    this.#parts = parts;
    this.#hearing = mob.ledger.hear(({ run_id, kind, member, data }) => {
      if (run_id === run && kind.startsWith("step_")) this.#look();
      if (kind === "member_broken") this.line(`${member ?? ""} is broken: ${String(data["detail"])}`);
    });
    this.#look();
  }

  line(text: string): void {
    this.#clear();
    this.#parts.write(`${text}\n`);
  }

  flush(): Promise<void> {
    return this.#parts.flush();
  }

  [Symbol.dispose](): void {
    this.#hearing[Symbol.dispose]();
    this.#clear();
  }

  #look(): void {
    const { scan, audit } = this.#mob.flows.get(this.#run).steps;
    const [turn] = Object.values(scan?.targets ?? {}).map(({ turn_id }) => turn_id);
    if (scan?.state !== "completed" || turn === undefined || turn === null) return;
    if (!this.#asked) void this.#askFound(turn);
    const done = Object.values(audit?.targets ?? {}).filter(({ state }) => state === "done").length;
    if (this.#found === undefined || done <= this.#done) return;
    this.#done = done;
    this.#tell(done, this.#found.batches.length);
  }

  /** Its list is large: it does not stand with the run. */
  async #askFound(turn: string): Promise<void> {
    this.#asked = true;
    const { output } = await this.#mob.members.wait(turn, {}).catch(() => ({ output: null }));
    if (output === null) return;
    this.#found = output as unknown as Found;
    this.line(`scout: ${this.#found.packages} packages in ${this.#found.batches.length} batches`);
    this.#look();
  }

  #tell(done: number, total: number): void {
    const text = `auditors: ${done} of ${total} batches`;
    if (done === total || !this.#parts.terminal && done % Math.ceil(total / 4) === 0) return this.line(text);
    if (!this.#parts.terminal) return;
    this.#clear();
    this.#parts.write(text);
    this.#rewritten = true;
  }

  #clear(): void {
    if (this.#rewritten) this.#parts.write("\r\u001b[K");
    this.#rewritten = false;
  }
}
