/** The agent loop with the parts of this machine, for programs that need no block around it. */
import { type Agents, type AgentsParts, createAgents } from "@atoll-run/block";
import type { KvStore } from "@atoll-run/core";
import { systemClock } from "./clock.ts";
import { systemIds } from "./ids.ts";
import { storeOpeners } from "./stores.ts";

export interface AgentsConfig extends Omit<AgentsParts, "clock" | "ids" | "kv"> {
  /** File of the sessions; default as for a block, from `env`. */
  readonly kvPath?: string;
  /** Parts to take instead of those of this machine: for tests. */
  readonly parts?: Partial<Pick<AgentsParts, "clock" | "ids" | "kv">>;
}

/**
 * Runs agents until it is disposed. Keys and models of providers are in `env`: the environment of the
 * process is not read. Nothing is opened before it is needed.
 */
export function openAgents(config: AgentsConfig = {}): Agents {
  const { kvPath, parts, ...rest } = config;
  const env = config.env ?? {};
  let opened: KvStore | undefined;
  const kv = (): KvStore => opened ??= storeOpeners({ kvPath, limits: config.limits }, config.log).kv(
    { path: kvPath, env },
  );
  const clock = parts?.clock ?? systemClock;
  const agents = createAgents({ ...rest, clock, ids: systemIds(clock), kv, ...parts });
  return {
    run: (options) => agents.run(options),
    [Symbol.asyncDispose]: async () => {
      await agents[Symbol.asyncDispose]();
      await opened?.[Symbol.asyncDispose]();
    },
  };
}
