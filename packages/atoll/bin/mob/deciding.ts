/**
 * Who decides on what the editor asks for: a person on the terminal, `--yes`, or the demo itself where there is no terminal.
 * takes open approvals of a run; gives decisions of the principal `local`; promises that no question stays on the screen when
 * somebody else has decided; refuses to take silence for an answer: what is not answered stays open.
 */
import { createInterface } from "node:readline/promises";
import type { MobRooms } from "../../src/mob.ts";
import { PRINCIPAL } from "./audit-run.ts";
import type { Progress } from "./progress.ts";

/** What a run has asked for and nobody has decided. */
export type Open = MobRooms["view"]["approvals"] extends ReadonlyMap<string, infer One> ? One : never;

export interface DecidingParts {
  readonly mob: MobRooms;
  readonly progress: Pick<Progress, "line" | "flush">;
  /** `ask`: on the terminal; `yes`: without one. */
  readonly how: "ask" | "yes";
  readonly signal: AbortSignal;
}

type Answer = "approve" | "reject";

/** Lines of the text that a person sees before the question. */
const LINES_SHOWN = 12;
const WIDTH = 110;

export class Deciding {
  readonly #parts: DecidingParts;
  /** One answer is good for the whole report: its files are asked for one after the other. */
  #answer: Answer | undefined;

  constructor(parts: DecidingParts) {
    this.#parts = parts;
    if (parts.how === "yes") this.#answer = "approve";
  }

  /** False: nobody has answered, it stays open. */
  async decide(open: Open): Promise<boolean> {
    const { mob, progress } = this.#parts;
    const [path, text] = await this.#asked(open);
    const asked = this.#answer === undefined;
    const answer = this.#answer ?? await this.#ask(open, { path, text });
    if (answer === undefined) return mob.view.approvals.get(open.id)?.state !== "open";
    this.#answer = answer;
    await mob.approvals.decide({ id: open.id, decision: answer, principal: PRINCIPAL, local: true });
    if (!asked) progress.line(`${answer === "approve" ? "approved" : "rejected"} as ${PRINCIPAL}: write ${path}`);
    return true;
  }

  /** The call as it was made: `std.fs.write(path, text)`. */
  async #asked({ id, object }: Open): Promise<readonly [path: string, text: string]> {
    const { args } = await this.#parts.mob.approvals.get(id);
    const [path = object, text = ""] = Array.isArray(args) ? args as readonly string[] : [];
    return [String(path), String(text)];
  }

  /** Undefined: no answer, or somebody else was faster. */
  async #ask({ id }: Open, { path, text }: { readonly path: string; readonly text: string }): Promise<Answer | undefined> {
    const { mob, progress, signal } = this.#parts;
    const lines = text.trimEnd().split("\n");
    progress.line(`\nThe editor asks to write ${path}, and its data beside it:\n`);
    for (const line of lines.slice(0, LINES_SHOWN)) {
      progress.line(`  | ${line.length > WIDTH ? `${line.slice(0, WIDTH)}…` : line}`);
    }
    if (lines.length > LINES_SHOWN) progress.line(`  | … ${lines.length - LINES_SHOWN} lines more`);
    await progress.flush();
    const over = new AbortController();
    const elsewhere = mob.approvals.wait(id, AbortSignal.any([signal, over.signal])).then(() => over.abort(), () => over.abort());
    const prompt = createInterface({ input: process.stdin, output: process.stderr, terminal: true });
    try {
      // Ctrl-C on the question is the signal that it is everywhere else; Ctrl-D is no answer.
      prompt.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
      prompt.once("close", () => over.abort());
      const said = await prompt.question("\nWrite it? [y/N] ", { signal: over.signal });
      return /^y(es)?$/i.test(said.trim()) ? "approve" : "reject";
    } catch (error) {
      if (!over.signal.aborted) throw error;
      progress.line("");
      return undefined;
    } finally {
      prompt.close();
      over.abort();
      await elsewhere;
    }
  }
}
