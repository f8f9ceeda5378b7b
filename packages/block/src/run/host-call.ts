/**
 * One function of the script API, called by the host: what its guard has put off is done later.
 * takes a name and arguments as the guard was told them; gives what the function gives; promises that grants and guard are asked
 * again; refuses functions whose results belong to a script; never runs script code.
 */
import { emptyTrace, type Json } from "@atoll-run/core";
import { API, type ApiFunction } from "../bridges/api.ts";
import { GIVEN_CALLS } from "../bridges/given.ts";
import { JsonText, type OpCall, type Ops, type Value } from "../bridges/op.ts";
import type { HostCall } from "../config.ts";
import { blockError } from "../errors.ts";
import { readValue } from "./answers.ts";

/** Done as a whole, and over when they answer. */
const WHOLE = /^(std\.fs\.(write|write_binary|append|mkdir|remove|copy|rename|read|list|stat)|std\.json\.write_file|os\.(remove|rename|execute)|sh\.exec|http\.request|mesh\.(send|request)|mcp\.call|mob\..*)$/;

export function mayCall(fn: string): boolean {
  return WHOLE.test(fn);
}

/** Throws what the function throws. */
export async function callForHost(ops: Ops, { fn, args, signal, about }: HostCall): Promise<Json> {
  const op = ops[fn];
  if (op === undefined || !mayCall(fn)) throw blockError("grant.denied", `${fn} cannot be called for a script`, { facts: { grant: fn } });
  const given = await op(toValues(fn, args), callOf(signal, about));
  return given instanceof JsonText ? readValue(given.text) : toJson(given);
}

function callOf(signal: AbortSignal, about: HostCall["about"]): OpCall {
  const none = (): never => {
    throw blockError("run.cancelled", "there is no script behind this call");
  };
  return {
    isle: "main", owner: "host", signal, trace: emptyTrace(), log: () => undefined, callback: async () => none(),
    origin: () => ({ about, tx: { set: none, delete: none, tell: none, get: async () => none() } }),
  };
}

function toValues(fn: string, args: Json): readonly Value[] {
  const declared = API.find(({ name }) => name === fn);
  const list = Array.isArray(args) ? args as readonly Json[] : byOrder(GIVEN_CALLS.find(({ name }) => name === fn), args);
  return list.map((value, at): Value => {
    const wantsText = declared?.args[at]?.split(":")[1]?.startsWith("json") === true;
    if (wantsText && value !== undefined) return typeof value === "string" && !GIVEN_CALLS.some(({ name }) => name === fn) ? value : JSON.stringify(value);
    return toValue(value);
  });
}

function byOrder(f: ApiFunction | undefined, args: Json): readonly Json[] {
  const named = args as { readonly [name: string]: Json };
  return (f?.args ?? []).map((declared) => named[declared.split(":")[0] as string] as Json);
}

/** Bytes that are no text, as they stand in JSON. */
export function bytesAsJson(bytes: Uint8Array): Json {
  return { base64: Buffer.from(bytes).toString("base64") };
}

/** As {@link toJson} wrote it. */
export function toValue(value: Json | undefined): Value {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(toValue);
  const { base64, ...others } = value as { readonly [key: string]: Json };
  if (typeof base64 === "string" && Object.keys(others).length === 0) return new Uint8Array(Buffer.from(base64, "base64"));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toValue(item as Json)]));
}

/** Bytes as {@link bytesAsJson}. */
export function toJson(value: Value): Json {
  if (value instanceof Uint8Array) return bytesAsJson(value);
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((item) => toJson(item as Value));
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item as Value)]));
  return (value ?? null) as Json;
}
