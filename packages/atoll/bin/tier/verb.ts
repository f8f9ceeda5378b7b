/**
 * What the commands of nodes and realms have in common: a verb with its arguments, answers as text or JSON, one way to
 * say what went wrong and with which exit code.
 */
import { Fault, isFault, type Json, nearest, type Problem, problemText, type Setting, toFaultData } from "@atoll-run/core";
import { readEnv } from "../config/env.ts";
import { EXIT, toExitCode } from "../exit.ts";
import { complain, complainOf, faultText, say } from "../output/terminal.ts";
import { type Arguments, readArguments } from "../program/arguments.ts";
import { type Command, verbWords } from "../program/declaration.ts";
import { commandHelp, usageLine } from "../program/help.ts";
import { commandOf } from "../program/table.ts";

type Env = Readonly<Record<string, string>>;

export interface VerbCall {
  readonly verb: string;
  /** What stands behind the verb. */
  readonly words: readonly string[];
  readonly given: Arguments;
  readonly settings: ReadonlyMap<string, Setting>;
  readonly env: Env;
  readonly warnings: readonly Problem[];
  readonly json: boolean;
  /** Aborts when `--deadline` is over. */
  readonly signal: AbortSignal;
  flag(name: string): Setting | undefined;
  /** The flag, else its variable. */
  either(flag: string, variable: string): Setting | undefined;
}

export type Verbs = Readonly<Record<string, (call: VerbCall) => Promise<number>>>;

/** Wrong use of a command: exit 2 with the usage line. */
export class Misuse extends Error {
  readonly problems: readonly Problem[];

  constructor(...problems: readonly Problem[]) {
    super(problems.map(problemText).join("; "));
    this.problems = problems;
  }
}

export function misuse(name: string, problem: string, hint?: string): Misuse {
  return new Misuse({ where: { name }, problem, ...hint === undefined ? {} : { hint } });
}

const DEADLINE_MS = 30_000;
/** Nobody waits for their end. */
const LASTING = new Set(["realm up", "node up", "mob up", "mob demo", "mob tail"]);

export async function runVerb(name: string, args: readonly string[], verbs: Verbs): Promise<number> {
  const command = commandOf(name) as Command;
  const given = readArguments(command, args);
  const [verb, ...words] = given.positionals;
  if (given.flags.has("help")) {
    await say(commandHelp(command, verb));
    return EXIT.ok;
  }
  const json = given.flags.has("json");
  let call: VerbCall | undefined;
  try {
    const run = verb !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (run === undefined || verb === undefined) throw unknownVerb(command, verb);
    const problems = [...given.problems, ...strangers(command, verb, given)];
    if (problems.length > 0) throw new Misuse(...problems);
    call = toCall({ verb, words, given, json });
    return await run(call);
  } catch (error) {
    const isLate = call?.signal.aborted === true && !LASTING.has(`${name} ${verb ?? ""}`);
    return await tellError(isLate && !(isFault(error) && toExitCode(error) === EXIT.timeout) ? call?.signal.reason : error, { command, verb, json });
  }
}

function toCall(o: Pick<VerbCall, "verb" | "words" | "given" | "json">): VerbCall {
  const env = process.env as Env;
  const { settings, unknown } = readEnv(env);
  const flag = (name: string): Setting | undefined => o.given.flags.get(name)?.at(-1);
  const seconds = flag("deadline");
  const ms = seconds === undefined ? DEADLINE_MS : Number(seconds.text) * 1_000;
  if (!(ms > 0 && ms < 2 ** 31)) throw misuse("--deadline", `'${seconds?.text ?? ""}' is not a number of seconds above 0`);
  return {
    ...o, env, settings, warnings: unknown, flag, signal: AbortSignal.timeout(ms),
    either: (name, variable) => flag(name) ?? settings.get(variable),
  };
}

/** Flags that say nothing to this verb: who gives one expects something of it. */
function strangers({ name, flags }: Command, verb: string, given: Arguments): readonly Problem[] {
  return flags.flatMap(({ name: flag, verbs }) => verbs === undefined || verbs.includes(verb) || !given.flags.has(flag) ? []
    : [{ where: { name: `--${flag}` }, problem: `is not for atoll ${name} ${verb}`, hint: `it is for ${verbs.join(", ")}` }]);
}

function unknownVerb(command: Command, verb: string | undefined): Misuse {
  const words = verbWords(command);
  if (verb === undefined) return misuse("VERB", `is missing: one of ${words.join(", ")}`);
  const near = nearest(verb, words);
  return misuse(verb, "there is no such verb", near === undefined ? `one of ${words.join(", ")}` : `did you mean ${near}?`);
}

interface Told {
  readonly command: Command;
  readonly verb: string | undefined;
  readonly json: boolean;
}

async function tellError(error: unknown, { command, verb, json }: Told): Promise<number> {
  if (error instanceof Misuse) {
    await complainOf(error.problems, `${usageLine(command, verb)}\nTry 'atoll ${[command.name, ...verbWords(command).filter((word) => word === verb)].join(" ")} --help'.`);
    return EXIT.usage;
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    const late = new Fault({ code: command.name === "mob" ? "mob.deadline" : "node.timed_out", text: "out of time", retry: "later", hint: "Give it more with --deadline." });
    return await tellError(late, { command, verb, json });
  }
  if (json && isFault(error)) await say(JSON.stringify({ error: toFaultData(error) }));
  else await complain(faultText(error));
  return toExitCode(error);
}

/** One value: JSON, or the text for people. */
export async function answer(call: VerbCall, value: Json | object, text: string): Promise<number> {
  await say(call.json ? JSON.stringify(value) : text);
  return EXIT.ok;
}

/** The one word that a verb needs. */
export function oneWord(call: VerbCall, what: string): string {
  const [word, extra] = call.words;
  if (word === undefined) throw misuse(what, "is missing");
  if (extra !== undefined) throw misuse(extra, "one at a time");
  return word;
}

export function noWords(call: VerbCall): void {
  const [extra] = call.words;
  if (extra !== undefined) throw misuse(extra, `${call.verb} takes flags only`);
}

/** `1 turn`, `2 turns`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Rows as columns of even width; the last is not padded. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  return all.map((row) => row.map((cell, at) => at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)).join("  ")).join("\n");
}

/** `12 s`, `3 m`, `5 h`, `2 d`. */
export function age(ms: number): string {
  const steps = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "m"], [1_000, "s"]] as const;
  const step = steps.find(([size]) => ms >= size);
  return step === undefined ? `${Math.max(0, Math.round(ms))} ms` : `${Math.floor(ms / step[0])} ${step[1]}`;
}
