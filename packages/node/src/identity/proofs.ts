/**
 * A renewed credential, shown on a link that stands (spec: node 5.7, 6.8; wire 3.2, 6.3).
 * takes a session and a link; gives the proof, or the verdict on one; promises that it counts for that link and that
 * peer alone; refuses by a `NodeError`; never prolongs a link for a credential that it has not verified.
 */
import { formatNodeId, nodeError, SYSTEM_ROUTES, type Ids, type Link } from "@atoll-run/core";
import {
  AIdCredentialSchema, newRequestId, readMessage, refreshTranscript, RefreshSchema, verifySignature, writeEnvelope, writeMessage,
} from "@atoll-run/core/internal";
import type { Peers } from "../transport/peers.ts";
import type { CredentialVerifier, Session } from "./session.ts";

/** The payload of `atoll.sys.v1.Refresh`; undefined for a link on which nothing can be refreshed. */
export async function makeRefresh(session: Session, link: Link): Promise<Uint8Array | undefined> {
  if (session.key === undefined || link.opening === undefined || !link.peer.features.has("refresh1")) return undefined;
  const proof = await session.key.sign(await refreshTranscript(link.opening, session.credential_bytes));
  return writeMessage(RefreshSchema, { credential: session.credential, proof });
}

export interface RefreshParts {
  readonly verifier: CredentialVerifier;
  readonly peers: () => Pick<Peers, "renewed">;
}

/** Hears what a peer shows: throws `node.permission_denied`, `node.identity_mismatch`, `node.decode_failure`. */
export async function takeRefresh({ verifier, peers }: RefreshParts, link: Link, payload: Uint8Array): Promise<void> {
  const read = readMessage(RefreshSchema, payload);
  if (!read.ok || read.value.credential === undefined) throw nodeError("node.decode_failure", "the refresh cannot be read");
  const { credential, proof } = read.value;
  if (link.opening === undefined) throw nodeError("node.permission_denied", "nothing was greeted on this link");
  const verified = await verifier.verify(credential);
  if (formatNodeId(verified.id) !== formatNodeId(link.peer.id) || verified.node_key === undefined) {
    throw nodeError("node.identity_mismatch", "the credential is not that of the peer");
  }
  const transcript = await refreshTranscript(link.opening, writeMessage(AIdCredentialSchema, credential));
  if (!await verifySignature(verified.node_key, proof, transcript)) {
    throw nodeError("node.identity_mismatch", "the proof is not of the key in the credential");
  }
  peers().renewed(link, verified);
}

/**
 * Shows a new session to every peer that can hear of it. The answers are not awaited: who refuses it ends the link, and
 * the next is made with the new credential.
 */
export async function refreshPeers(
  parts: { readonly ids: Ids; readonly peers: Pick<Peers, "links" | "send"> }, session: Session, withinMs: number,
): Promise<void> {
  await Promise.all(parts.peers.links().map(async (link) => {
    const payload = await makeRefresh(session, link);
    if (payload === undefined) return;
    const body = writeEnvelope({
      route_key: SYSTEM_ROUTES.refresh, request_id: newRequestId(parts.ids), direction: "request", timeout_ms: withinMs, payload, metadata: [],
    }, { extensions: false });
    // A link that has ended meanwhile needs none.
    await parts.peers.send(link.peer.id, "rpc_signal", body, { deadlineMs: withinMs, via: link }).catch(() => undefined);
  }));
}
