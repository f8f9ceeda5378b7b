/** A realm of one page behind the door of a node: it signs, renews, and can be told to misbehave. */
import { formatNodeId, nodeError, type Clock, type NodeId } from "@atoll-run/core";
import {
  fromActrId, readMessage, RegisterRequestSchema, RegisterResponseSchema, RenewCredentialRequestSchema,
  RenewCredentialResponseSchema, toActrId, verifyKeyProof, writeMessage, type MessageInitShape, type RegisterOkSchema,
} from "@atoll-run/core/internal";
import type { RealmAnswer, RealmAsk, RealmDoor } from "@atoll-run/node/internal";
import { tinyRealmKey } from "./tiny-realm-key.ts";

interface Known {
  readonly id: NodeId;
  readonly key: Uint8Array | undefined;
  token: Uint8Array;
  epoch: bigint;
}

export interface Knobs {
  /** No answer at all: an error, or silence. */
  away: false | "error" | "silent";
  /** Status of the next answers. */
  refuse: { readonly status: number; readonly retry_after_secs?: number } | undefined;
  legacy: boolean;
  /** Answer with an id of somebody else. */
  foreign: boolean;
  secret: string | undefined;
  life_ms: number;
}

export async function tinyRealm(clock: Clock) {
  const signer = await tinyRealmKey(7, 3);
  const knobs: Knobs = { away: false, refuse: undefined, legacy: false, foreign: false, secret: undefined, life_ms: 3_600_000 };
  const nodes = new Map<string, Known>();
  const asked: string[] = [];
  let serial = 0x1000n;

  const grant = (node: Known) => grantTo(node, { clock, knobs, signer });

  async function register(request: RealmAsk): Promise<Parameters<typeof writeMessage<typeof RegisterResponseSchema>>[1]> {
    const bytes = request.body ?? new Uint8Array();
    const read = readMessage(RegisterRequestSchema, bytes);
    if (!read.ok) return refusal(400, "unreadable");
    if (knobs.refuse !== undefined) return refusal(knobs.refuse.status, "no");
    if (knobs.secret !== undefined && request.headers["x-actrix-realm-secret"] !== knobs.secret) return refusal(403, "the realm secret is wrong");
    const { keyProof, previousId, actrType, realm } = read.value;
    if (keyProof !== undefined && !await verifyKeyProof("register", bytes, keyProof)) return refusal(401, "wrong proof");
    const key = knobs.legacy ? undefined : keyProof?.publicKey;
    const previous = previousId === undefined || knobs.legacy ? undefined : fromActrId(previousId);
    const known = previous === undefined ? undefined : nodes.get(formatNodeId(previous));
    if (known !== undefined && known.key?.join() !== key?.join()) return refusal(403, "another key");
    const id = { realm: realm?.realmId ?? 0, serial: serial++, type: { manufacturer: actrType?.manufacturer ?? "", name: actrType?.name ?? "", version: actrType?.version ?? "" } };
    const node = known ?? { id, key: key === undefined ? undefined : Uint8Array.from(key), token: new Uint8Array(32).fill(Number(serial % 256n)), epoch: 0n };
    nodes.set(formatNodeId(node.id), node);
    return grant(node);
  }

  async function renew(request: RealmAsk): Promise<{ status: number; message: Parameters<typeof writeMessage<typeof RenewCredentialResponseSchema>>[1] }> {
    const no = (status: number) => ({ status, message: refusal(status, "no") });
    const bytes = request.body ?? new Uint8Array();
    const read = readMessage(RenewCredentialRequestSchema, bytes);
    if (!read.ok) return no(400);
    if (knobs.refuse !== undefined) return no(knobs.refuse.status);
    const id = read.value.actrId === undefined ? undefined : fromActrId(read.value.actrId);
    const node = id === undefined ? undefined : nodes.get(formatNodeId(id));
    const { keyProof, renewalToken } = read.value;
    if (node === undefined) return no(401);
    if (node.key !== undefined) {
      if (keyProof === undefined || !await verifyKeyProof("renew", bytes, keyProof) || keyProof.publicKey.join() !== node.key.join()) return no(401);
    } else if (renewalToken.join() !== node.token.join()) return no(401);
    return { status: 200, message: await grant(node) };
  }

  async function answer(request: RealmAsk): Promise<RealmAnswer> {
    const headers: Record<string, string> = knobs.refuse?.retry_after_secs === undefined ? {} : { "retry-after": String(knobs.refuse.retry_after_secs) };
    if (request.path === "register") {
      return { status: 200, headers, body: writeMessage(RegisterResponseSchema, await register(request)) };
    }
    const { status, message } = await renew(request);
    if (request.path === "unregister" && status === 200) return { status: 204, headers, body: new Uint8Array() };
    return { status, headers, body: writeMessage(RenewCredentialResponseSchema, message) };
  }

  const door: Pick<RealmDoor, "ask"> = {
    ask(request, { signal }) {
      asked.push(request.path);
      if (knobs.away === "silent") {
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      }
      if (knobs.away === "error") return Promise.reject(nodeError("node.unavailable", "connection refused"));
      return answer(request);
    },
  };
  return { door, knobs, nodes, asked, signer };
}

function refusal(code: number, message: string) {
  return { result: { case: "error" as const, value: { code, message } } };
}

async function grantTo(
  node: Known, { clock, knobs, signer }: { clock: Clock; knobs: Knobs; signer: Awaited<ReturnType<typeof tinyRealmKey>> },
): Promise<{ result: { case: "success"; value: Omit<MessageInitShape<typeof RegisterOkSchema>, "$typeName"> } }> {
  const id = knobs.foreign ? { ...node.id, serial: node.id.serial + 1n } : node.id;
  const end = Math.floor((clock.now() + knobs.life_ms) / 1_000);
  const credential = await signer.sign({
    id, expires_at_ms: end * 1_000, epoch: node.epoch, ...node.key === undefined ? {} : { node_key: node.key },
  });
  return { result: { case: "success", value: {
    actrId: toActrId(id), credential: { keyId: credential.keyId, claims: credential.claims, signature: credential.signature },
    turnCredential: { username: `${end}:x`, password: "turn-password", expiresAt: BigInt(end) },
    credentialExpiresAt: { seconds: BigInt(end), nanos: 0 }, signalingHeartbeatIntervalSecs: 20,
    signingPubkey: signer.publicKey, signingKeyId: signer.keyId, renewalToken: node.token,
    renewalTokenExpiresAt: { seconds: BigInt(end + 86_400), nanos: 0 },
    ...knobs.legacy ? {} : { realmFeatures: ["hello1", "key1", "down1", "rules1"], serverAtMs: BigInt(clock.now()) },
  } } };
}
