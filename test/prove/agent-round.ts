/**
 * One round of the proof that an agent with a session survives kill -9.
 *
 * Goal: whatever is stored when the program dies is kept, and the next run goes on behind it. Invariant: a
 * tool whose result is stored is not run again; the next request begins with the stored messages; in the
 * end every turn of the model is there once, and a strict model has taken every request. Method: a model
 * that asks for steps, a program that is killed at a step or request drawn by lot, once or twice, and the
 * session read from the file in between.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openStores } from "@atoll-run/sqlite";
import { type MockModel, startMockModel } from "@atoll-run/testkit";

const PROGRAM = fileURLToPath(new URL("./fixtures/agent-runner.ts", import.meta.url));
const NAMESPACE = "_agent_block_session";
/** Far above what a run needs on a busy machine. */
const WAIT_MS_MAX = 60_000;
const TURNS = 4;
const DONE = "all steps are done";

interface Block { readonly type: string; readonly id?: string; readonly tool_use_id?: string }
interface Message { readonly role: string; readonly content: string | readonly Block[] }

/** Model and folder for all rounds of a proof. */
export interface Rounds extends AsyncDisposable {
  /** What is wrong, or undefined. */
  run(round: number, random: () => number): Promise<string | undefined>;
}

export async function openRounds(folder: string): Promise<Rounds> {
  const asked: Message[][] = [];
  let hear: () => void = () => undefined;
  const model = await startMockModel({
    keep: 1,
    script: (ask) => {
      const { messages } = ask.body as unknown as { messages: Message[] };
      asked.push(messages);
      hear();
      return turnOf(messages);
    },
  });
  return {
    run: (round, random) =>
      new Round({ model, folder, session: `r${round}`, random, asked, onAsk: (next) => (hear = next) }).run(),
    [Symbol.asyncDispose]: () => model.close(),
  };
}

/** The step calls of each turn, the same for the same place in the conversation. */
function turnOf(messages: readonly Message[]): { reply: object } {
  const turn = messages.filter((message) => message.role === "assistant").length;
  // a run that was killed after its last word was stored is asked again
  if (turn >= TURNS) return { reply: { text: DONE } };
  const tool_calls = Array.from({ length: 1 + (turn % 3) }, (_, i) => {
    const id = `step_${turn}_${i}`;
    return { name: "step", id, input: { id, ms: (turn + i) % 3 } };
  });
  return { reply: { text: `turn ${turn}`, tool_calls } };
}

interface RoundParts {
  readonly model: MockModel;
  readonly folder: string;
  readonly session: string;
  readonly random: () => number;
  readonly asked: Message[][];
  onAsk(hear: () => void): void;
}

/** Requests and steps of a whole run. */
const EVENTS = TURNS + 1 + Array.from({ length: TURNS }, (_, turn) => 1 + (turn % 3)).reduce(
  (sum, n) => sum + n, 0,
);

class Round {
  readonly #p: RoundParts;
  #stored: readonly Message[] = [];

  constructor(parts: RoundParts) {
    this.#p = parts;
  }

  async run(): Promise<string | undefined> {
    const { random } = this.#p;
    const kills = random() < 0.4 ? 2 : 1;
    for (let kill = 0; kill < kills; kill++) {
      const wrong = await this.#once(
        { afterEvents: 1 + Math.floor(random() * EVENTS), thenMs: random() * 3 },
      );
      if (wrong !== undefined) return wrong;
    }
    return await this.#once() ?? this.#judgeEnd();
  }

  /** Runs the program, to its end or to its kill, and compares with what was stored before. */
  async #once(kill?: { readonly afterEvents: number; readonly thenMs: number }): Promise<string | undefined> {
    const before = this.#stored;
    const kept = new Set(resultsOf(before));
    const { asked } = this.#p;
    asked.length = 0;
    const { ran, end } = await this.#program(kill);
    if (end !== undefined && end !== DONE) return `the run ended with: ${end}`;
    if (kill === undefined && end === undefined) return "the last run did not end";
    const again = ran.find((id) => kept.has(id));
    if (again !== undefined) return `${again} ran again although its result was stored`;
    const [first] = asked;
    if (first !== undefined && !goesOn(before, first)) {
      return "the first request does not go on from the last stored message";
    }
    this.#stored = await this.#read();
    const lost = resultsOf(before).find((id) => !resultsOf(this.#stored).includes(id));
    return lost === undefined ? undefined : `the stored result of ${lost} was lost`;
  }

  async #program(kill: { readonly afterEvents: number; readonly thenMs: number } | undefined): Promise<{ ran: string[]; end?: string }> {
    const { folder, session, model } = this.#p;
    const child = spawn(
      process.execPath, [PROGRAM, folder, session, model.url], { stdio: ["ignore", "pipe", "inherit"] },
    );
    const late = setTimeout(() => child.kill("SIGKILL"), WAIT_MS_MAX);
    let events = 0;
    const heard = (): void => {
      if (++events === kill?.afterEvents) setTimeout(() => child.kill("SIGKILL"), kill.thenMs);
    };
    this.#p.onAsk(heard);
    const ran: string[] = [];
    let end: string | undefined;
    const exited = new Promise((resolve) => child.once("close", resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith("ran ")) {
        ran.push(line.slice(4));
        heard();
      } else if (line.startsWith("end ")) end = line.slice(4);
    }
    await exited;
    clearTimeout(late);
    return { ran, ...(end === undefined ? {} : { end }) };
  }

  async #read(): Promise<readonly Message[]> {
    const { folder, session } = this.#p;
    await using stores = openStores(
      { kvPath: join(folder, "kv.sqlite"), tsPath: ":memory:", busyTimeoutMs: 5_000, journalMode: "WAL" },
    );
    return JSON.parse(await stores.kv.get(NAMESPACE, session, { timeoutMs: WAIT_MS_MAX }) ?? "[]") as Message[];
  }

  #judgeEnd(): string | undefined {
    const said = this.#stored.filter((message) => message.role === "assistant");
    const isWhole = said.length > TURNS && said.length <= TURNS + 3 && said.slice(TURNS).every(
      (message) => blocksOf(message).length === 1,
    );
    if (!isWhole) return `the session holds ${said.length} messages of the model`;
    const calls = said.flatMap((message) => blocksOf(message)).flatMap(
      (block) => (block.type === "tool_use" ? [block.id ?? ""] : []),
    );
    const results = resultsOf(this.#stored);
    return calls.toSorted().join() === results.toSorted().join() ? undefined
      : "calls and results of the session do not match";
  }
}

function blocksOf({ content }: Message): readonly Block[] {
  return typeof content === "string" ? [] : content;
}

function resultsOf(messages: readonly Message[]): string[] {
  return messages.flatMap(blocksOf).flatMap(
    (block) => (block.type === "tool_result" ? [block.tool_use_id ?? ""] : []),
  );
}

/** Are these the stored messages, the last of which may have got more results? */
function goesOn(stored: readonly Message[], sent: readonly Message[]): boolean {
  return stored.every((message, at) => {
    const other = sent[at];
    if (other?.role !== message.role) return false;
    const mine = ids(message);
    const isLast = at === stored.length - 1;
    return isLast ? mine.every((id) => ids(other).includes(id)) : mine.join() === ids(other).join();
  });
}

function ids(message: Message): string[] {
  return blocksOf(message).flatMap((block) => block.id ?? block.tool_use_id ?? []);
}
