/** The agent loop of one run, loaded with its first use: most runs never ask a model. */
import type { BlockLimits, Clock, Ids, KvStore } from "@atoll-run/core";
import type { HttpClient, Resolver } from "../bridges/http/client.ts";
import type { Op, Ops } from "../bridges/op.ts";
import type { GrantGate } from "../grants/gate.ts";
import type { Grants } from "../grants/parse.ts";
import type { Mcp } from "../mcp/types.ts";
import type { Sessions } from "../agent/session.ts";
import type { Observe } from "../agent/observe.ts";
import type { AgentWatch } from "../agent/watch.ts";
import type { Spans } from "../observe/spans.ts";

export interface LazyAgentParts {
  readonly gate: GrantGate;
  readonly grants: "all" | Grants;
  readonly clock: Clock;
  readonly ids: Ids;
  /** The environment as the host gave it, and a variable as the script sees it. */
  readonly configured: Readonly<Record<string, string>>;
  readonly env: (name: string) => string | undefined;
  readonly kv: () => KvStore;
  readonly mcp: () => Promise<Mcp>;
  readonly resolver?: Resolver;
  /** The host's own client; stays the host's. */
  readonly client?: HttpClient;
  readonly observe: Observe;
  readonly spans: Spans | undefined;
  readonly secret: (key: string) => void;
  /** Instead of those of the block's own store. */
  readonly sessions?: Sessions;
  readonly watch: AgentWatch | undefined;
}

export interface LazyAgent {
  readonly ops: Ops;
  close(): Promise<void>;
}

const NAMES = ["agent.run", "agent.tools", "model.call", "model.provider"];

export function lazyAgent(parts: LazyAgentParts, limits: BlockLimits): LazyAgent {
  const open: AsyncDisposable[] = [];
  let loading: Promise<Ops> | undefined;
  let ops: Ops | undefined;
  const load = async (): Promise<Ops> => {
    const [{ agentOps }, { createModels }, { createSessions }, { openServers }, { createHttpClient }] =
      await Promise.all([
      import("../agent/ops.ts"), import("../agent/models.ts"), import("../agent/session.ts"), import(
        "../agent/mcp-servers.ts",
      ),
      import("../bridges/http/client.ts"),
    ]);
    const { clock, ids, resolver } = parts;
    const models = createModels({
      gate: parts.gate, granted: isGranted(parts.grants), configured: parts.configured, env: parts.env, clock,
      ids,
      observe: parts.observe, spans: parts.spans, secret: parts.secret,
      client: (gate) => {
        if (parts.client !== undefined) return parts.client;
        const made = createHttpClient({ gate, ...(resolver === undefined ? {} : { resolver }) }, limits);
        open.push(made);
        return made;
      },
    }, limits);
    const sessions = parts.sessions ?? createSessions(parts.kv, { timeoutMs: limits.sqlMs });
    ops = agentOps({ models, clock, observe: parts.observe, spans: parts.spans, sessions, mcp: openServers(parts.mcp), watch: parts.watch });
    return ops;
  };
  const loaded = (): Promise<Ops> => (loading ??= load());
  return {
    ops: Object.fromEntries(NAMES.map((name): [string, Op] => [name, (args, call) =>
      (ops === undefined ? loaded().then((all) => all[name]?.(args, call)) : ops[name]?.(args, call)),
    ])),
    close: async () => {
      await Promise.all(open.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

/** Every list of grants on the way up must allow it. */
function isGranted(grants: "all" | Grants): boolean {
  return grants === "all" || (grants.model && (grants.within === undefined || isGranted(grants.within)));
}
