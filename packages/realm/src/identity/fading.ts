/**
 * Records of nodes that can never come back: bearers and guests whose time is over. They are noted by time and cleared a
 * few at a time by each new registration, so nothing has to search for them.
 */
import type { Clock, StateOp } from "@atoll-run/core";
import type { RealmLimits } from "../limits.ts";
import type { Registry } from "../registry/registry.ts";
import { put, type Records } from "../store/records.ts";
import { timeKey } from "./key-proofs.ts";
import type { NodeRecord, NodeRecords } from "./node-record.ts";

export interface FadingParts {
  readonly records: Records;
  readonly nodes: NodeRecords;
  readonly registry: Registry;
  readonly clock: Clock;
}

/** Notes when to look at it. A node with a key of its own keeps its id for good. */
export function fade(record: NodeRecord, atMs: number): readonly StateOp[] {
  const fades = record.node_key === null || record.mode === "guest";
  return fades ? [put("fading", `${timeKey(atMs)}/${record.id}`, {})] : [];
}

export async function clearNodes(parts: FadingParts, limits: RealmLimits["identity"]): Promise<readonly StateOp[]> {
  const { records, nodes, registry, clock } = parts;
  const now = clock.now();
  const due = (await records.keys("fading", { limit: limits.clearMax })).filter((key) => key < timeKey(now));
  const ops: StateOp[] = [];
  for (const key of due) {
    const id = key.slice(key.indexOf("/") + 1);
    const record = (await nodes.get(id))?.value;
    ops.push(put("fading", key, null));
    if (record === undefined) continue;
    const lastMs = Math.max(record.seen_at_ms + limits.renewalTokenMs, ...record.tokens.map((one) => one.expires_at * 1_000));
    const isAlive = lastMs > now || registry.get(id)?.pinged_at_ms !== undefined;
    if (isAlive) ops.push(...fade(record, Math.max(lastMs, now + limits.credentialMs)));
    else {
      nodes.forget(id);
      registry.drop(id, "lost");
      ops.push(put("nodes", id, null), ...registry.dropOps(id));
    }
  }
  return ops;
}
