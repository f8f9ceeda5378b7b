/** The guard of a host: asked after the grants and before the call; it may allow, refuse, answer or park it. */
import { isUtf8 } from "node:buffer";
import { isFault, type Json } from "@atoll-run/core";
import type { ApiFunction } from "../bridges/api.ts";
import { byName, GIVEN_CALLS, givenGrant } from "../bridges/given.ts";
import { type Op, type OpCall, type Ops, JsonText, type Value } from "../bridges/op.ts";
import type { Guard } from "../config.ts";
import { blockError } from "../errors.ts";
import type { GrantGate } from "../grants/gate.ts";
import { bytesAsJson, mayCall, toJson, toValue } from "./host-call.ts";
import { toText } from "./prepare.ts";

type Gate = Pick<GrantGate, "run" | "path" | "url" | "mesh" | "given">;

/** Passes the gate as the op itself will, and gives the grant that this took; throws its refusal. */
type Need = (gate: Gate) => Promise<string> | string;

/** What an op needs, from its arguments; arguments that are none need nothing, since the op refuses them. */
type Needs = (args: readonly Value[]) => readonly Need[];

const path = (verb: "read" | "write", value: Value): Need[] => {
  const text = toPlainText(value);
  return text === undefined ? [] : [async (gate) => `fs.${verb}:${await gate.path(verb, text)}`];
};
const reads: Needs = ([value]) => path("read", value);
const writes: Needs = ([value]) => path("write", value);
const moves: Needs = ([from, to]) => [...path("write", from), ...path("write", to)];
/** Patterns and modules are judged file by file, while they are looked for. */
const looks: Needs = ([value]) => {
  const text = toPlainText(value);
  return text === undefined ? [] : [() => `fs.read:${text}`];
};
const shell: Needs = () => [runs(null, false)];
const asks: Needs = ([to]) => [(gate) => {
  gate.mesh(String(to));
  return `mesh:${String(to)}`;
}];

function runs(program: string | null, detach: boolean): Need {
  return (gate) => {
    gate.run(program, detach);
    return `run:${program ?? "sh"}`;
  };
}

function executes([command, opts]: readonly Value[]): readonly Need[] {
  const text = toPlainText(command);
  if (text === undefined) return [];
  const { args, detach } = (opts ?? {}) as { readonly [key: string]: Value };
  // a path of a program is resolved by the op, which then asks the gate for it
  if (args !== undefined && text.includes("/") && !text.startsWith("/")) return [() => `run:${text}`];
  return [runs(args === undefined ? null : text, detach === true)];
}

function requests([url]: readonly Value[]): readonly Need[] {
  const parsed = URL.parse(toPlainText(url) ?? "");
  if (parsed === null) return [];
  return [(gate) => {
    gate.url(parsed);
    return `net:${parsed.host}`;
  }];
}

function opens(args: readonly Value[]): readonly Need[] {
  const mode = args[1] ?? "r";
  return mode === "r" || mode === "rb" ? reads(args) : writes(args);
}

/** Whom the model may be asked for is judged by its gate. */
const models: Needs = () => [() => "model"];

const NEEDS: Readonly<Record<string, Needs>> = {
  "sh.exec": executes, "os.execute": shell, "io.popen.open": shell, "http.request": requests, "io.open": opens,
  ...named("std.fs", ["read", "read_binary", "walk", "list", "stat", "metadata", "exists", "is_dir", "is_file"], reads),
  ...named("std.fs", ["write", "write_binary", "append", "mkdir", "remove"], writes),
  "std.fs.copy": ([from, to]) => [...path("read", from), ...path("write", to)], "std.fs.rename": moves, "os.rename": moves,
  "std.fs.glob": looks, "module.read": looks, "std.path.absolute": reads, "std.json.read_file": reads, "std.json.write_file": writes,
  ...Object.fromEntries(GIVEN_CALLS.map((f) => [f.name, given(f)])), "os.remove": writes, "mesh.send": asks, "mesh.request": asks, "agent.run": models, "model.call": models, "tool.host": ([name]) => [() => `tool:${String(name)}`],
};

function given(f: ApiFunction): Needs {
  const { bridge, verb } = givenGrant(f);
  return () => [(gate) => {
    gate.given(bridge, verb);
    return `${bridge}:${verb}`;
  }];
}

function named(module: string, fns: readonly string[], needs: Needs): Record<string, Needs> {
  return Object.fromEntries(fns.map((fn) => [`${module}.${fn}`, needs]));
}

/** The same ops with the guard between the grants and those that need one. */
export function guarded(ops: Ops, guard: Guard | undefined, gate: Gate): Ops {
  if (guard === undefined) return ops;
  const wrap = (name: string, op: Op): Op => {
    const needs = NEEDS[name];
    if (needs === undefined) return op;
    const asked: Op = async (args, call) => {
      const keeps: Keep[] = [];
      const answer = await ask({ guard, gate, name, needs: needs(args), keeps }, args, call);
      if (answer !== undefined) return fromMade(answer);
      const given = await op(args, call);
      const made = keeps.length === 0 ? undefined : toMade(given);
      if (made !== undefined) for (const keep of keeps) await keep(made);
      return given;
    };
    return name === "sh.exec" ? neverRaising(asked) : asked;
  };
  return Object.fromEntries(Object.entries(ops).map(([name, op]) => [name, wrap(name, op)]));
}

/** A refusal of `sh.exec` is its result. */
function neverRaising(op: Op): Op {
  return async (args, call) => {
    try {
      return await op(args, call);
    } catch (error) {
      // what waits for a decision is not refused
      if (!isFault(error) || error.code !== "grant.denied" || error.facts["park"] !== undefined) throw error;
      return { ok: false, error: error.message, code: error.code };
    }
  };
}

type Keep = (made: Json) => Promise<void>;

/** The guard's own answer, or undefined when the call may go on. Throws `grant.denied`. */
async function ask(
  { guard, gate, name, needs, keeps }: { guard: Guard; gate: Gate; name: string; needs: readonly Need[]; keeps: Keep[] },
  args: readonly Value[], call: OpCall,
): Promise<Made | undefined> {
  const called = GIVEN_CALLS.find((f) => f.name === name);
  const tool = name === "tool.host" ? { tool: String(args[0]) } : {};
  for (const need of needs) {
    const grant = await need(gate);
    const about = call.origin?.()?.about;
    const verdict = await askGuard(guard, {
      grant, ...tool, what: name, args: called === undefined ? plain(args) : byName(called, args), signal: call.signal, ...about === undefined ? {} : { about },
      ...call.aside === undefined ? {} : { aside: () => call.aside?.() }, ...mayCall(name) ? { done: (keep) => void keeps.push(keep) } : {},
    });
    if (verdict !== undefined) return "made" in verdict ? verdict.made as Made : { text: toText(verdict.answer, "guard answer") };
  }
  return undefined;
}

type Asked = Omit<Parameters<Guard>[0], "fn"> & { readonly what: string };

/** What stands for the call; undefined lets it go on. Throws `grant.denied`. */
export async function askGuard(guard: Guard, { what, ...asked }: Asked): Promise<{ readonly answer: Json } | { readonly made: Json } | undefined> {
  const verdict = await guard({ ...asked, ...mayCall(what) ? { fn: what } : {} });
  if (verdict === "allow") return undefined;
  if ("answer" in verdict || "made" in verdict) return verdict;
  const { grant } = asked;
  if ("park" in verdict) {
    throw blockError("grant.denied", `denied: ${what} waits for ${verdict.park}`, { facts: { grant, park: verdict.park } });
  }
  throw blockError("grant.denied", `denied: ${what} (${verdict.deny}); refused by the host's guard`, {
    facts: { grant, reason: verdict.deny },
  });
}

/** Arguments as the guard may see them: bytes that are no text as base64, without what was left out at the end. */
function plain(args: readonly Value[]): Json {
  const given = args.slice(0, args.findLastIndex((arg) => arg !== undefined) + 1);
  return given.map((arg) => (arg instanceof Uint8Array ? shown(arg) : (arg ?? null) as Json));
}

/** Different bytes never look the same: a decision on one must not be good for the other. */
function shown(bytes: Uint8Array): Json {
  return isUtf8(bytes) ? Buffer.from(bytes).toString() : bytesAsJson(bytes);
}

function toPlainText(value: Value): string | undefined {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : typeof value === "string" ? value : undefined;
}

/** What a call gave, so that a script is given just the same again: JSON text as it was, else a value, its bytes as base64; neither: nothing. */
interface Made {
  readonly text?: string;
  readonly value?: Json;
}

function fromMade({ text, value }: Made): Value | JsonText {
  return text === undefined ? toValue(value) : new JsonText(text);
}

/** Undefined: JSON would not say it. */
function toMade(given: Value | JsonText): Json | undefined {
  if (given instanceof JsonText) return { text: given.text };
  if (given === undefined) return {};
  return isExact(given) ? { value: toJson(given) } : undefined;
}

function isExact(value: Value): boolean {
  if (typeof value !== "object" || value === null) return typeof value !== "bigint" && (typeof value !== "number" || Number.isFinite(value));
  return value instanceof Uint8Array || !Object.hasOwn(value, "base64") && Object.values(value).every((item) => isExact(item as Value));
}
