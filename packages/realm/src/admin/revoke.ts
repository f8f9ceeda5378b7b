/** Taking an identity back (spec: node 8.6): its credentials, its connection, its place in the registry. */
import { formatNodeId, type Clock, type NodeId } from "@atoll-run/core";
import type { NodeRecord, NodeRecords } from "../identity/node-record.ts";
import { granted, refuse, type Answer } from "../refusal.ts";
import type { Registry } from "../registry/registry.ts";
import { CLOSE } from "../signaling/connection.ts";
import type { Connections } from "../signaling/connections.ts";
import type { Control } from "../signaling/control.ts";
import type { Relay } from "../signaling/relay.ts";
import type { Revocations } from "../signaling/revocations.ts";
import { audit, put, type Records } from "../store/records.ts";

export interface RevokeParts {
  readonly records: Records;
  readonly nodes: NodeRecords;
  readonly registry: Registry;
  readonly connections: Connections;
  readonly relay: Relay;
  readonly control: Control;
  readonly revocations: Revocations;
  readonly clock: Clock;
}

/** A renewal at the same moment makes it begin anew. */
const TRIES = 8;

/** Gives the new epoch. The id gets no credential any more; its node can register anew and is then another. */
export async function revoke(parts: RevokeParts, id: NodeId, reason: string): Promise<Answer<{ epoch: number }>> {
  for (let tries = 0; tries < TRIES; tries++) {
    const done = await tryRevoke(parts, id, reason);
    if (done !== "again") return done;
  }
  return refuse(503, "the node changes all the time: try again", { retry_after_ms: 1_000 });
}

async function tryRevoke(parts: RevokeParts, id: NodeId, reason: string): Promise<Answer<{ epoch: number }> | "again"> {
  const { records, nodes, registry, connections, relay, control, revocations } = parts;
  const text = formatNodeId(id);
  const node = await nodes.get(text);
  if (node === undefined) return refuse(404, `there is no node ${text}`);
  const record: NodeRecord = { ...node.value, epoch: node.value.epoch + 1, revoked: true, tokens: [] };
  const done = await records.commit([
    put("nodes", text, record, node.version), ...registry.dropOps(text), ...revocations.ops(text, record.epoch),
    audit("revoked", { id: text, epoch: record.epoch, reason }),
  ]);
  if (!done.ok) return "again";
  nodes.hold({ value: record, version: done.values[0] ?? 0 });
  revocations.add(text, record.epoch);
  registry.drop(text, "revoked");
  relay.forget(text);
  connections.get(text)?.close(CLOSE.credential, "the identity was revoked");
  // Aware nodes close its lanes within seconds, so they are told now and not at their next ping.
  for (const connection of connections.all()) if (connection.aware) connection.tell(control.pong(connection));
  return granted({ epoch: record.epoch });
}
