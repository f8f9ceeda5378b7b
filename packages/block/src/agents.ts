/**
 * The agent loop for TypeScript programs, without a block: models, tools of the program, sessions.
 * Everything is loaded with the first run.
 */
import { type BlockLimits, blockLimits, type Clock, type Ids, type KvStore, type Log } from "@atoll-run/core";
import type { Models } from "./agent/models.ts";
import type { Observe } from "./agent/observe.ts";
import type { AgentOptions } from "./agent/options.ts";
import type { AgentEnv, AgentResult } from "./agent/run-agent.ts";
import type { HttpClient } from "./bridges/http/client.ts";
import type { GrantGate } from "./grants/gate.ts";

export interface AgentsParts {
  readonly clock: Clock;
  readonly ids: Ids;
  /** Keys, models and base URLs of providers; the library reads no environment itself. */
  readonly env?: Readonly<Record<string, string>>;
  /** For `session`; stays the caller's. */
  readonly kv?: () => KvStore;
  readonly log?: Log;
  /** Stays the caller's. Default: a client of its own, without restrictions. */
  readonly http?: HttpClient;
  /** Models that are not of the providers here. */
  readonly models?: Models;
  readonly observe?: Observe;
  readonly limits?: Partial<BlockLimits>;
}

/** Runs agents until it is disposed, which lets go of connections; runs under way then fail. */
export interface Agents extends AsyncDisposable {
  /** Never rejects: what is wrong is in the result. */
  run(options: AgentOptions): Promise<AgentResult>;
}

/** Opens nothing until the first run. */
export function createAgents(parts: AgentsParts): Agents {
  let loading: ReturnType<typeof load> | undefined;
  return {
    run: async (options) => {
      loading ??= load(parts);
      const { runAgent, env } = await loading;
      return await runAgent(options, env);
    },
    [Symbol.asyncDispose]: async () => {
      const client = (await loading)?.client();
      await client?.[Symbol.asyncDispose]();
    },
  };
}

const OPEN_GATE: Pick<GrantGate, "url" | "restricted"> =
  { restricted: false, url: () => ({ address: () => undefined }) };

async function load(parts: AgentsParts): Promise<{
  readonly runAgent: (options: AgentOptions, env: AgentEnv) => Promise<AgentResult>;
  readonly env: AgentEnv;
  client(): HttpClient | undefined;
}> {
  const [{ runAgent }, { createModels }, { createSessions }, { createHttpClient }] = await Promise.all([
    import("./agent/run-agent.ts"), import("./agent/models.ts"), import("./agent/session.ts"), import(
      "./bridges/http/client.ts",
    ),
  ]);
  const { clock, ids, kv, log, observe, env = {} } = parts;
  const limits = blockLimits(false, parts.limits);
  let own: HttpClient | undefined;
  const models = parts.models ?? createModels({
    gate: OPEN_GATE, granted: true, configured: env, env: (name) => env[name], clock, ids,
    client: () => parts.http ?? (own ??= createHttpClient({ gate: OPEN_GATE }, limits)),
    ...(observe === undefined ? {} : { observe }),
  }, limits);
  return {
    runAgent, client: () => own,
    env: {
      models, clock,
      log: (level, target, msg, fields) => log?.write(
        { level, target, msg, ...(fields === undefined ? {} : { fields }) },
      ),
      ...(kv === undefined ? {} : { sessions: createSessions(kv, { timeoutMs: limits.sqlMs }) }),
      ...(observe === undefined ? {} : { observe }),
    },
  };
}
