/** MCP of one run, loaded when it is first used: most runs have no server. */
import type { McpOps } from "../bridges/mcp.ts";
import type { Op, OpCall, Ops } from "../bridges/op.ts";
import type { McpLimits, McpParts } from "../mcp/parts.ts";
import type { Mcp, McpClosed } from "../mcp/types.ts";

export interface LazyMcp {
  readonly ops: Ops;
  /** The servers of the run, for the agent loop. */
  servers(): Promise<Mcp>;
  isleGone(isle: OpCall["isle"]): void;
  close(): Promise<McpClosed>;
}

interface Loaded {
  readonly servers: Mcp;
  readonly bridge: McpOps;
}

const NAMES = [
  "connect", "connect_http", "disconnect", "call", "cancel", "list_tools", "list_resources",
  "list_resource_templates", "list_prompts", "read_resource", "subscribe_resource", "unsubscribe_resource",
  "get_prompt", "complete", "ping", "server_info", "notify_roots_list_changed", "listen",
].map((name) => `mcp.${name}`);

export function lazyMcp(
  parts: McpParts & { release(isle: OpCall["isle"], ref: number): void }, limits: McpLimits,
): LazyMcp {
  let loading: Promise<Loaded> | undefined;
  let ops: Ops | undefined;
  const load = async (): Promise<Loaded> => {
    const [{ McpServers }, { mcpOps }] =
      await Promise.all([import("../mcp/servers.ts"), import("../bridges/mcp.ts")]);
    const servers = new McpServers(parts, limits);
    const bridge = mcpOps({ servers, release: (isle, ref) => parts.release(isle, ref) });
    ({ ops } = bridge);
    return { servers, bridge };
  };
  const loaded = (): Promise<Loaded> => (loading ??= load());
  return {
    ops: Object.fromEntries(NAMES.map((name): [string, Op] => [name, (args, call) =>
      (ops === undefined ? loaded().then(({ bridge }) => bridge.ops[name]?.(args, call)) : ops[name]?.(args, call)),
    ])),
    servers: async () => (await loaded()).servers,
    isleGone: (isle) => void loading?.then(({ bridge }) => bridge.isleGone(isle)),
    close: async () => (loading === undefined ? { killed: [] } : await (await loading).servers.close()),
  };
}
