/**
 * Methods as they are called, `members.list({ … })`, over whatever carries a call (spec: mob 2, 11.1).
 *
 * takes a function that calls by name; gives the areas with their verbs; promises that leading params may stand before the others:
 * `members.retire("scout", { hold: true })`; refuses nothing; never calls by itself.
 */
import { isFault } from "@atoll-run/core";
import { METHODS, type CallOptions, type MobApi } from "./generated/methods.ts";

export type CallByName = (name: string, params?: unknown, o?: CallOptions) => Promise<unknown>;

export function bindMethods(call: CallByName): MobApi {
  const api: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(METHODS)) {
    const [area = "", verb] = name.split("/");
    const run = async (...args: readonly unknown[]): Promise<unknown> => {
      const [params, o] = readArguments(row.leading ?? [], args);
      const result = await call(name, params, o);
      return row.over === undefined ? result : withEnd(result as object, { call, ...row.over });
    };
    if (verb === undefined) api[area] = run;
    else api[area] = { ...api[area] as object | undefined, [verb]: run };
  }
  return api as unknown as MobApi;
}

/** Leading params are told by their first one, which is a name or an id. */
function readArguments(leading: readonly string[], args: readonly unknown[]): readonly [params: unknown, o: CallOptions | undefined] {
  if (leading.length === 0 || typeof args[0] !== "string") return [args[0], args[1] as CallOptions | undefined];
  const named = leading.flatMap((name, n) => args[n] === undefined ? [] : [[name, args[n]] as const]);
  return [{ ...Object.fromEntries(named), ...args[leading.length] as object | undefined }, args[leading.length + 1] as CallOptions | undefined];
}

interface End {
  readonly call: CallByName;
  readonly by: string;
  readonly key: string;
}

/** One request waits for a limited time: it is asked again until there is an end, or `signal` says so. */
function withEnd(result: object, { call, by, key }: End): object {
  const params = { [key]: (result as Readonly<Record<string, unknown>>)[key] };
  const wait = async (o: CallOptions = {}): Promise<unknown> => {
    for (;;) {
      try {
        return await call(by, params, o);
      } catch (error) {
        if (o.signal?.aborted === true || !isFault(error) || error.code !== "mob.deadline") throw error;
      }
    }
  };
  // What is sent and printed is the result alone.
  return Object.defineProperty({ ...result }, "wait", { value: wait, enumerable: false });
}
