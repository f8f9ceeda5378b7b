/** Every code a block can give (spec: block 2.4), and the class that carries them. */
import { Fault, type FaultInit, type Retry } from "@atoll-run/core";

export type BlockCode =
  | "config.invalid" | "script.not_found" | "script.syntax" | "script.failed" | "script.argument" | "run.cancelled"
  | "isle.memory" | "isle.timeout" | "isle.output" | "isle.would_block" | "isle.crashed" | "grant.denied"
  | "bus.no_handler" | "bus.handler_failed" | "bus.timeout" | "bus.closed" | "bus.overloaded" | "bus.register"
  | "mcp.spawn_failed" | "mcp.handshake" | "mcp.rpc" | "mcp.unknown_server" | "mcp.server_exited" | "mcp.timeout"
  | "mesh.not_connected" | "mesh.connect_failed" | "mesh.timeout" | "mesh.rejected"
  | "bridge.absent" | "http.invalid" | "http.timeout" | "http.connect" | "http.request" | "http.body" | "http.too_large"
  | "sh.exec" | "sh.timeout" | "fs.not_found" | "fs.denied" | "fs.limit" | "fs.failed"
  | "json.encode" | "json.decode" | "json.depth" | "tool.not_found"
  | "sql.failed" | "sql.timeout" | "sql.cancelled" | "sql.param" | "sql.aborted"
  | "kv.namespace" | "kv.failed" | "kv.timeout" | "kv.cancelled" | "ts.invalid" | "ts.failed" | "ts.timeout"
  | "agent.invalid" | "model.no_key" | "model.api" | "model.reply" | "model.refused"
  | "task.cancelled" | "task.aborted" | "task.timeout" | "task.joined" | "io.failed" | "runtime.failed";

/** Codes that a later try may cure, without a word from the caller. */
const LATER: ReadonlySet<BlockCode> = new Set<BlockCode>([
  "isle.crashed", "bus.overloaded", "bus.timeout", "mesh.timeout", "mcp.server_exited", "mcp.timeout", "http.timeout", "http.connect", "sh.timeout",
  "sql.timeout", "sql.aborted", "kv.timeout", "ts.timeout", "task.timeout",
]);

export interface BlockFault {
  readonly code: BlockCode;
  readonly facts: Readonly<Record<string, unknown>>;
}

export class BlockError extends Fault<BlockFault> {
  override readonly name = "BlockError";
}

/** A block fault with the retry class of its code. */
export function blockError(
  code: BlockCode, text: string, more: Omit<FaultInit<BlockFault>, "code" | "text" | "retry"> & { retry?: Retry } = {},
): BlockError {
  return new BlockError({ ...more, code, text, retry: more.retry ?? (LATER.has(code) ? "later" : "never") });
}
