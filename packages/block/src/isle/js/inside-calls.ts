/**
 * What our own code in an isle asks for, by name: the one way out of the VM.
 * takes packed values; gives packed values; promises that nothing it is given is trusted more than the script;
 * refuses with a fault; never enters the VM.
 */
import { isFault, parseJson, toFaultData } from "@atoll-run/core";
import { luaType } from "../../bridges/arguments.ts";
import { JsonText, type Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import { toSleepMs } from "../../pure/duration.ts";
import { pureFns } from "../../pure/fns.ts";
import { plainView } from "../../pure/plain-view.ts";
import { checkData } from "../../pure/validate.ts";
import { badArgument } from "../lua/arguments.ts";
import type { Output } from "../thread/output.ts";
import type { JsCalls } from "./calls.ts";
import type { LiveTasks } from "./live-tasks.ts";
import { declaredArgs, pureDeclared, shownName } from "./functions.ts";
import type { HostArgs } from "./machine.ts";
import { pack, unpack, withRefs } from "./pack.ts";
import { answered, checkArgs, toJsonText, toSqlParams } from "./values.ts";
import type { JsVm } from "./vm.ts";

export interface InsideParts {
  readonly vm: JsVm;
  readonly calls: JsCalls;
  readonly output: Output;
  /** Waits while the host is too far behind with what was printed. */
  caughtUp(): void;
  done(what: string, id: number, value: Value, ok: boolean): void;
  readonly tasks: LiveTasks;
  /** The event that what is said now belongs to. */
  event(): { readonly seq: number } | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Of every call: what is asked, a number, a packed value, a name; then byte strings. */
interface Asked {
  readonly id: number;
  readonly text: string;
  readonly extra: string;
  value(): Value;
}

/** Calls between two looks at the limits: QuickJS polls by what it does itself, which takes less time than they do. */
const CALLS_A_LOOK = 50;

type Answers = (asked: Asked) => string | undefined | void;

export class InsideCalls {
  readonly #answers: Readonly<Record<string, Answers>>;
  readonly #look: () => void;
  #calls = 0;

  constructor(parts: InsideParts) {
    this.#look = () => void parts.vm.meter.look();
    this.#answers = { ...working(parts), ...pureAnswers };
  }

  /** Throws what ends the VM. */
  call(args: HostArgs): string | undefined {
    if (++this.#calls >= CALLS_A_LOOK) {
      this.#calls = 0;
      this.#look();
    }
    const what = args.text(0);
    const answer = Object.hasOwn(this.#answers, what) ? this.#answers[what] : undefined;
    const text = args.text(2);
    return answer?.({
      id: args.number(1), text, extra: args.text(3), value: () => unpack(text, (index) => args.bytes(4 + index)),
    }) ?? undefined;
  }
}

function working({ vm, calls, output, tasks, event, ...parts }: InsideParts): Record<string, Answers> {
  const ended = (what: string): Answers => ({ id, extra, value }) => parts.done(what, id, value(), extra === "ok");
  return {
    call({ id, extra: op, value }) {
      try {
        const given = value() as readonly Value[];
        calls.call(id, op, toOpArgs(op, given).map(withRefs));
        return undefined;
      } catch (error) {
        if (!isFault(error)) throw error;
        return pack(toFaultData(error) as unknown as Value).text;
      }
    },
    cancel: ({ id }) => calls.cancel(id),
    timer: ({ id, text }) => calls.timer(id, Number(text)),
    noTimer: ({ id }) => calls.noTimer(id),
    task: ({ id, text }) => tasks.begun(id, text),
    taskEnd: ({ id }) => {
      tasks.ended(id);
      vm.wake();
    },
    taskFailed: ({ id, text, extra }) => tasks.failed(id, extra, text),
    taskTaken: ({ id }) => tasks.taken(id),
    note({ value }) {
      const { level, target, msg, fields } = value() as { level: "info"; target: string; msg: string; fields: object };
      const seq = event()?.seq;
      output.note({
        level, target, msg, fields: fields as Readonly<Record<string, unknown>>, ...(seq === undefined ? {} : { event: seq }),
      });
      parts.caughtUp();
    },
    out({ text }) {
      output.write(encoder.encode(JSON.parse(text) as string));
      parts.caughtUp();
    },
    ran: ended("ran"), handled: ended("handled"), called: ended("called"), installed: ended("installed"),
  };
}

function toOpArgs(op: string, given: readonly Value[]): readonly Value[] {
  const declared = declaredArgs(op);
  if (declared !== undefined) return checkArgs(shownName(op), declared, given);
  if (op !== "std.sql.query" && op !== "std.sql.exec") return given;
  const [sql] = checkArgs(shownName(op), [{ name: "sql", type: "string", optional: false, rest: false }], given);
  return [sql, toSqlParams(given[1])];
}

const pureAnswers: Record<string, Answers> = {
  pure: ({ extra: name, value }) => answered(() => {
    const result = pureFns[name]?.(checkArgs(shownName(name), pureDeclared(name), value() as readonly Value[]));
    return result instanceof JsonText ? parsed(result.text, shownName(name)) : result;
  }),
  encode: ({ extra, value }) => answered(() => {
    const text = toJsonText(value(), "json.encode", false);
    return extra === "pretty" ? indented(text) : text;
  }),
  decode: ({ value }) => answered(() => {
    const given = value();
    const text = given instanceof Uint8Array ? decoder.decode(given) : given;
    if (typeof text !== "string") throw badArgument("json.decode", 1, "string", luaType(text));
    return parsed(text, "json.decode");
  }),
  validate: ({ value }) => answered(() => {
    const [data, schema] = value() as readonly Value[];
    for (const [i, table] of [data, schema].entries()) {
      if (luaType(table) !== "table") throw badArgument("validate.check", i + 1, "table", luaType(table));
    }
    const problems = checkData<unknown>(data, schema, plainView);
    return problems.length === 0 ? [true, undefined] : [false, problems];
  }),
  clock: () => answered(() => performance.now()),
  sleepMs: ({ value }) => answered(() => {
    const [seconds] = checkArgs("time.sleep", [{ name: "seconds", type: "number", optional: false, rest: false }], [value()]);
    return toSleepMs(Number(seconds));
  }),
  text: ({ value }) => answered(() => decoder.decode(value() as Uint8Array)),
};

function parsed(text: string, what: string): Value {
  const read = parseJson(text);
  if (read.ok) return read.value as Value;
  const code = read.kind === "depth" ? "json.depth" : "json.decode";
  throw blockError(code, `${what}: ${read.problem} at character ${read.at + 1}`, { facts: { at: read.at } });
}

/** JSON text over several lines, two blanks a level; numbers stay as they are written. */
function indented(text: string): string {
  let depth = 0;
  return text.replace(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]/g, (token) => {
    const line = (): string => `\n${"  ".repeat(depth)}`;
    switch (token) {
      case "{":
      case "[": depth++; return token + line();
      case "}":
      case "]": depth--; return line() + token;
      case ",": return token + line();
      case ":": return ": ";
      default: return token;
    }
  });
}
