/** Reaches a peer at the first of its addresses that answers (spec: node 6.1; 5.14). */
import {
  Deadline, formatNodeId, isFault, nodeError, type Clock, type Fault, type Link, type NodeId, type Wire,
} from "@atoll-run/core";
import type { Report } from "../hooks/report.ts";
import type { LinkTable } from "./link-table.ts";
import type { AddressBook, PeerAddress } from "./peers.ts";

export interface DiallerParts {
  readonly clock: Clock;
  readonly wires: readonly Wire[];
  readonly book: AddressBook;
  readonly table: LinkTable;
  readonly report: Report;
}

/** Throws `node.unavailable` and what wires throw; of several failures the one that says most. */
export async function dialPeer(parts: DiallerParts, id: NodeId, o: { readonly withinMs: number; readonly signal: AbortSignal }): Promise<Link> {
  using deadline = new Deadline(parts.clock, o.withinMs, "reaching the peer");
  const addresses = await parts.book.addresses(id, { deadlineMs: o.withinMs, signal: o.signal });
  o.signal.throwIfAborted();
  const faults: Fault[] = [];
  for (const address of addresses) {
    const wire = parts.wires.find(({ name }) => name === address.wire);
    if (wire === undefined) continue;
    if (deadline.passed) break;
    try {
      return await dialAddress(parts, { wire, id, address }, { withinMs: deadline.leftMs(), signal: o.signal });
    } catch (error) {
      o.signal.throwIfAborted();
      if (!isFault(error)) throw error;
      // One that says when to come again is there, and only not ready.
      if (error.retry_after_ms === undefined) parts.book.failed(id, address.address);
      faults.push(error);
    }
  }
  throw worst(faults) ?? nodeError("node.unavailable", `no address of ${formatNodeId(id)} is known that this node can dial`, {
    hint: "Is it running, and registered with the same realm?",
  });
}

interface Target {
  readonly wire: Wire;
  readonly id: NodeId;
  readonly address: PeerAddress;
}

async function dialAddress(
  { table, report }: DiallerParts, { wire, id, address }: Target, o: { readonly withinMs: number; readonly signal: AbortSignal },
): Promise<Link> {
  const { node_key } = address;
  const told = wire.name === "websocket";
  const fact = { peer: formatNodeId(id), direction: "out", proof: node_key === undefined ? "bearer" : "key" } as const;
  if (told) report("websocket_connecting", fact);
  try {
    return await wire.dial({
      id, address: address.address, ...o, ...node_key === undefined ? {} : { node_key }, receive: (link) => table.adopt(link),
    });
  } catch (error) {
    if (told) report("websocket_disconnected", fact);
    throw error;
  }
}

/** A refusal says more than silence, and somebody who can be asked later more than nobody. */
function worst(faults: readonly Fault[]): Fault | undefined {
  return faults.find((fault) => fault.retry_after_ms !== undefined) ?? faults.find((fault) => fault.retry === "never") ?? faults[0];
}
