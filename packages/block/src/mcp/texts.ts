/** The faults of the MCP room, with the texts of the specification (block 2.4, 5.7). */
import { type BlockError, blockError } from "../errors.ts";
import { formatDuration } from "../pure/duration.ts";

export function unknownServer(server: string): BlockError {
  return blockError("mcp.unknown_server", `MCP error: no server named '${server}'`, { facts: { server } });
}

/** `what` names the call: `call_tool 'x' on 'n'`. */
export function timedOut(what: string, server: string, ms: number): BlockError {
  const text = `timeout: ${what} timed out after ${formatDuration(ms)}`;
  return blockError("mcp.timeout", text, { facts: { server, ms }, uncertain: true });
}

export function rpcFailed(
  what: string, server: string, o: { reason: string; rpcCode?: number | undefined; cause?: unknown },
): BlockError {
  const facts = { server, reason: o.reason, ...(o.rpcCode === undefined ? {} : { rpc_code: o.rpcCode }) };
  return blockError("mcp.rpc", `MCP error: ${what}: ${o.reason}`, { facts, cause: o.cause });
}

/** `ending`: `exited (code 3): last words`. */
export function serverExited(server: string, ending: string): BlockError {
  const text = `MCP error: server '${server}' ${ending}`;
  return blockError("mcp.server_exited", text, { facts: { server, ending }, uncertain: true });
}

export function spawnFailed(command: string, reason: string, cause: unknown): BlockError {
  const text = `MCP error: spawn '${command}': ${reason}`;
  return blockError("mcp.spawn_failed", text, { facts: { command, reason }, cause });
}

export function handshakeFailed(
  what: string, server: string, o: { reason: string; cause: unknown },
): BlockError {
  const { reason, cause } = o;
  return blockError("mcp.handshake", `MCP error: ${what}: ${reason}`, { facts: { server, reason }, cause });
}

/** What a JSON value is, as the texts say it. */
export function jsonKind(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "object" && "rawJSON" in value) return "number";
  return typeof value === "bigint" ? "number" : typeof value;
}
