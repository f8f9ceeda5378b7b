/** A block's mesh through the node that runs it (spec: node 9.3). */
import { type CallOpts, type Json, type Mesh, isFault, parseJson, type Speaker, stringifyJson } from "@atoll-run/core";
import { blockError } from "../errors.ts";

/** Route of what blocks ask each other by `mesh.request`. */
export const MESH_ROUTE = "atoll.block.v1.Mesh";

/** Longest wait a node takes, milliseconds. */
const DEADLINE_MS_MAX = 2 ** 31 - 1;

/** What peers ask comes as messages of the node, so nothing is served here. */
export function nodeMesh(id: string, speaker: Pick<Speaker, "call">): Mesh {
  return { id, request: requestBy(speaker), serve: () => ({ [Symbol.dispose]: () => undefined }) };
}

/** Asks by calls of {@link MESH_ROUTE}; payloads are JSON. */
export function requestBy(speaker: Pick<Speaker, "call">): Mesh["request"] {
  return async (to, payload, o: CallOpts) => {
    const written = stringifyJson(payload);
    if (!written.ok) throw blockError("json.encode", `mesh error: ${written.problem}`);
    const deadlineMs = Math.min(DEADLINE_MS_MAX, Math.max(1, Math.ceil(o.deadlineMs)));
    try {
      const reply = await speaker.call({
        to, route: MESH_ROUTE, payload: new TextEncoder().encode(written.text), content_type: "application/json",
        deadlineMs, signal: o.signal,
      });
      return readReply(reply.payload);
    } catch (error) {
      throw toMeshError(error, { to, deadlineMs });
    }
  };
}

function readReply(bytes: Uint8Array): Json {
  if (bytes.length === 0) return null;
  const parsed = parseJson(new TextDecoder().decode(bytes), { floats: true });
  if (!parsed.ok) throw blockError("json.decode", `mesh error: ${parsed.problem}`);
  return parsed.value;
}

/** What a script knows of a peer that did not answer. The node's own code stays among the facts. */
function toMeshError(error: unknown, { to, deadlineMs }: { to: string; deadlineMs: number }): unknown {
  if (!isFault(error) || !error.code.startsWith("node.")) return error;
  const init = { facts: { to, node_code: error.code }, cause: error };
  switch (error.code) {
    case "node.timed_out": return blockError("mesh.timeout", `mesh error: request to '${to}' timed out after ${deadlineMs} ms`, init);
    case "node.cancelled": return blockError("run.cancelled", "cancelled", init);
    case "node.not_found":
      return blockError("mesh.rejected", `mesh error: no peer '${to}'`, init);
    case "node.unavailable":
    case "node.connection_not_ready":
      return blockError("mesh.connect_failed", `mesh error: connect to ${to} failed: ${error.message}`, init);
    default: return blockError("mesh.rejected", `mesh error: ${error.message}`, init);
  }
}
