/** How a node proves to its realm who it is when it opens signaling, and the realm to it (spec: node 8.2; wire 6.2, 6.3). */
import { formatNodeId, nodeError, type Clock, type NodeError } from "@atoll-run/core";
import {
  HELLO_LIMITS, isFresh, makeHelloProof, readHelloS, verifyHelloS, writeHelloC, writeNodeId,
} from "@atoll-run/core/internal";
import type { CredentialVerifier, Session } from "../identity/session.ts";

export interface RealmHelloParts {
  readonly clock: Clock;
  readonly verifier: Pick<CredentialVerifier, "realmKey">;
  bytes(count: number): Uint8Array;
}

export interface Opening {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Of a node with a key towards a realm that greets. */
  readonly hello_c: Uint8Array | undefined;
}

/** The first word. A credential goes into a URL towards a legacy realm only. */
export function openSignaling(session: Session, features: readonly string[], parts: RealmHelloParts): Opening {
  if (features.length === 0) return { headers: {}, query: legacyQuery(session), hello_c: undefined };
  const headers = {
    "x-actr-source-id": Buffer.from(writeNodeId(session.id)).toString("hex"),
    "x-actr-credential": Buffer.from(session.credential_bytes).toString("base64"),
  };
  if (session.key === undefined || !features.includes("hello1")) return { headers, query: {}, hello_c: undefined };
  const hello_c = writeHelloC({
    nonce: parts.bytes(HELLO_LIMITS.nonceBytes), sentAtMs: BigInt(Math.floor(parts.clock.now())), realmId: session.id.realm, features: [],
  });
  return { headers: { ...headers, "x-atoll-hello": Buffer.from(hello_c).toString("base64url") }, query: {}, hello_c };
}

/**
 * What the realm answered; gives the last word of the node, if one is due. Throws `node.identity_mismatch` when it has
 * not proved to be our realm.
 */
export async function finishSignaling(
  session: Session, { hello_c }: Opening, answer: Readonly<Record<string, string>>,
  parts: RealmHelloParts & { readonly signal: AbortSignal },
): Promise<Uint8Array | undefined> {
  if (hello_c === undefined || session.key === undefined) return undefined;
  const hello_s = Uint8Array.from(Buffer.from(answer["x-atoll-hello"] ?? "", "base64url"));
  const read = readHelloS(hello_s);
  if (!read.ok) throw mismatch("it did not greet");
  const { hello } = read.value;
  if (!isFresh(hello.sentAtMs, parts.clock.now())) throw mismatch("its hello was not made now");
  const realmKey = await parts.verifier.realmKey(hello.keyId, { signal: parts.signal });
  if (!await verifyHelloS(realmKey, hello_c, read.value)) throw mismatch("it has not proved its key");
  return makeHelloProof(session.key, { hello_c, hello_s }, session.credential_bytes);
}

function legacyQuery({ id, credential }: Session): Readonly<Record<string, string>> {
  return {
    actor_id: formatNodeId(id), key_id: String(credential.keyId),
    claims: Buffer.from(credential.claims).toString("base64"),
    signature: Buffer.from(credential.signature).toString("base64"),
  };
}

function mismatch(why: string): NodeError {
  return nodeError("node.identity_mismatch", `signaling is not that of our realm: ${why}`);
}
