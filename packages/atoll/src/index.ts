export { type Json, type Log, luaFloat, type Mesh, type TraceContext } from "@atoll-run/core";
export {
  type BlockCode, type BlockConfig, BlockError, type BlockEvent, type BlockEvents, type BlockResult,
  type BlockRoute, type BlockRun, type BlockWorkloadOptions, createLocalMesh, type EventOrigin, type EventTx,
  type Guard, type HostHandler, type HostTool, type IslePool, type RelayConfig, type RequestOptions, type Sink, type StartRun,
  toWorkload, type Usage,
} from "@atoll-run/block";
export type { AgentOptions, AgentResult, Agents, AgentTool } from "@atoll-run/block";
export { type AgentsConfig, openAgents } from "./compose/agents.ts";
export { createPool } from "./compose/pool.ts";
export { inspectTools, type ToolInfo } from "./compose/inspect-tools.ts";
export { runBlock, type RunConfig, startBlock, type StartedBlock } from "./compose/run-block.ts";
