/**
 * Bridges whose host half is the host's to give: what they do is known outside of a block only.
 * takes functions of the host; gives ops; promises that each is granted before it is called, with arguments by name;
 * refuses a bridge that the host did not give; never changes what it answers.
 */
import { type Json, parseJson } from "@atoll-run/core";
import type { GivenArguments, GivenBridges, GivenCall } from "../config.ts";
import { blockError } from "../errors.ts";
import type { GrantGate } from "../grants/gate.ts";
import { toText } from "../run/prepare.ts";
import { API, type ApiFunction } from "./api.ts";
import { JsonText, type Op, type OpCall, type Ops, type Value } from "./op.ts";

/** Those of the script API, and the verbs of their grants: `mob:send`. */
export const GIVEN_BRIDGES: readonly string[] = ["mob"];

/** Their functions, as scripts name them. */
export const GIVEN_CALLS: readonly ApiFunction[] = API.filter(({ name }) => GIVEN_BRIDGES.includes(bridgeOf(name)));

export function givenOps(bridges: GivenBridges, gate: Pick<GrantGate, "given">): Ops {
  return Object.fromEntries(GIVEN_CALLS.map((f): [string, Op] => {
    const [bridge, fn] = [bridgeOf(f.name), f.name.slice(bridgeOf(f.name).length + 1)];
    const given = bridges[bridge]?.[fn];
    return [f.name, async (args, call) => {
      if (given === undefined) {
        throw blockError("bridge.absent", `${f.name}: there is no ${bridge} around this block`, { facts: { bridge, fn }, hint: `It is for members of a ${bridge}.` });
      }
      gate.given(bridge, wordOf(fn));
      const reply = await given(byName(f, args), toGiven(call));
      return reply === undefined ? undefined : new JsonText(toText(reply, f.name));
    }];
  }));
}

/** The grant that a function needs: the bridge and the first word of its name. */
export function givenGrant({ name }: ApiFunction): { readonly bridge: string; readonly verb: string } {
  const bridge = bridgeOf(name);
  return { bridge, verb: wordOf(name.slice(bridge.length + 1)) };
}

/** Arguments as the host knows them. */
export function byName(f: ApiFunction, args: readonly Value[]): GivenArguments {
  const named: Record<string, Json> = {};
  for (const [at, declared] of f.args.entries()) {
    const [name, type] = declared.split(":") as [string, string];
    const value = args[at];
    if (value !== undefined) named[name] = type.startsWith("json") ? readJson(f.name, String(value)) : toPlain(value);
  }
  return named;
}

function toGiven(call: OpCall): GivenCall {
  const { signal, isle, trace, deadlineMs } = call;
  const origin = call.origin?.();
  return { signal, isle, trace, ...deadlineMs === undefined ? {} : { deadlineMs }, ...origin === undefined ? {} : { origin } };
}

function readJson(fn: string, text: string): Json {
  const parsed = parseJson(text);
  if (!parsed.ok) throw blockError("json.decode", `${fn}: ${parsed.problem}`);
  return parsed.value;
}

/** Bytes that are no text are read as Latin-1: there are none where names are meant. */
function toPlain(value: Value): Json {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
  if (Array.isArray(value)) return value.map((item) => toPlain(item as Value));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item as Value)]));
  }
  return (value ?? null) as Json;
}

function bridgeOf(name: string): string {
  return name.slice(0, name.indexOf("."));
}

function wordOf(fn: string): string {
  return fn.split(".")[0] as string;
}
