/** The HTTP bridge, loaded with its library at the first request: most runs never ask for it. */
import type { BlockLimits, Clock, Ids } from "@atoll-run/core";
import type { HttpClient, Resolver } from "../bridges/http/client.ts";
import type { Op, Ops } from "../bridges/op.ts";
import type { GrantGate } from "../grants/gate.ts";

export interface LazyHttpParts {
  readonly gate: GrantGate;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly resolver?: Resolver;
  /** The host's own client, in place of one of this run; the host closes it. */
  readonly client?: HttpClient;
}

export interface LazyHttp {
  readonly ops: Ops;
  client(): Promise<HttpClient>;
  close(): Promise<void>;
}

export function lazyHttp(parts: LazyHttpParts, limits: BlockLimits): LazyHttp {
  let loading: Promise<{ readonly op: Op; readonly client: HttpClient }> | undefined;
  const load = async (): Promise<{ readonly op: Op; readonly client: HttpClient }> => {
    const [{ httpOps }, { createHttpClient }] = await Promise.all([import("../bridges/http.ts"), import("../bridges/http/client.ts")]);
    const { gate, clock, ids, resolver } = parts;
    const client = parts.client ?? createHttpClient({ gate, ...(resolver === undefined ? {} : { resolver }) }, limits);
    return { op: httpOps({ gate, client, clock, ids }, limits)["http.request"] as Op, client };
  };
  return {
    ops: {
      "http.request": async (args, call) => {
        loading ??= load();
        return (await loading).op(args, call);
      },
    },
    client: async () => (await (loading ??= load())).client,
    close: async () => {
      if (loading !== undefined && parts.client === undefined) await (await loading).client[Symbol.asyncDispose]();
    },
  };
}
