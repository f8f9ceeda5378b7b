/** Nodes as a realm sees them, for its tests: they make requests and speak on signaling, with real keys and proofs. */
import { randomBytes } from "node:crypto";
import type { Clock, NodeId } from "@atoll-run/core";
import {
  ActrIdSchema, AIdCredentialSchema, fromActrId, makeHelloProof, makeKeyProof, readMessage, readSignaling, RegisterRequest_AuthMode,
  RegisterRequestSchema, RegisterResponseSchema, RenewCredentialRequestSchema, RenewCredentialResponseSchema, toAcl, toActrId,
  toSigningKey, writeHelloC, writeMessage, writeSignaling, type ActrRelaySchema, type ActrToSignaling,
  type ActrToSignalingSchema, type MessageInitShape, type RegisterOk, type Rule, type SignalingEnvelope, type SignalingEnvelopeSchema,
  type SigningKey,
} from "@atoll-run/core/internal";
import { type Log, type LogEvent, must, parseType, Secret } from "@atoll-run/core";
import { createRealm, REALM_LIMITS, type HttpAnswer, type Origin, type Realm, type RealmConfig, type RealmParts, type SignalingIn } from "@atoll-run/realm";
import { ManualClock, memoryState, until } from "@atoll-run/testkit";

export const ADMIN = "an-admin-token-for-tests";
export const bytes = (count: number): Uint8Array => new Uint8Array(randomBytes(count));
/** An address that is not this machine. */
export const ELSEWHERE: Origin = { address: "203.0.113.7", loopback: false };

/** For tests that let time pass without pings. */
export const PATIENT: RealmConfig = {
  limits: { ...REALM_LIMITS, signaling: { ...REALM_LIMITS.signaling, silentMsMax: 1_000_000_000 } },
};

export interface TestRealm extends AsyncDisposable {
  readonly realm: Realm;
  readonly clock: ManualClock;
  readonly logged: LogEvent[];
  readonly parts: RealmParts;
  admin(method: string, path: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }>;
}

/** A realm in memory whose time stands still, open. */
export async function openRealm(config: RealmConfig = {}, over: Partial<RealmParts> = {}): Promise<TestRealm> {
  const clock = over.clock instanceof ManualClock ? over.clock : new ManualClock();
  const logged: LogEvent[] = [];
  const log: Log = { write: (event) => void logged.push(event) };
  const parts = { store: memoryState(), random: Math.random, bytes, log, adminToken: new Secret(ADMIN), ...over, clock };
  const realm = createRealm(parts, config);
  await realm.open();
  return {
    realm, clock, logged, parts,
    admin: async (method, path, body) => {
      const [plain = "", query = ""] = path.split("?");
      const answer = await realm.door.admin({
        method, path: `/admin/v1/${plain}`, query: new URLSearchParams(query), headers: { authorization: `Bearer ${ADMIN}` },
        ...body === undefined ? {} : { body: new TextEncoder().encode(JSON.stringify(body)) },
      });
      return { status: answer.status, body: toJson(answer) };
    },
    [Symbol.asyncDispose]: () => realm.close(),
  };
}

export function toJson(answer: HttpAnswer): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(answer.body)) as Record<string, unknown>;
}

export const ANYONE: readonly Rule[] = [{ effect: "allow", from: { type: "*:*:*", realm: "self" }, actions: ["*"] }];

export interface RegisterInit {
  readonly type?: string;
  readonly realm?: number;
  readonly key?: SigningKey;
  readonly rules?: readonly Rule[];
  readonly previous?: NodeId;
  readonly address?: string;
  readonly mode?: RegisterRequest_AuthMode;
  readonly more?: Partial<MessageInitShape<typeof RegisterRequestSchema>>;
  readonly atMs?: number;
}

export const newKey = (): Promise<SigningKey> => toSigningKey(bytes(32));

/** The bytes of a registration, proved if there is a key. */
export async function registration(clock: Clock, init: RegisterInit): Promise<Uint8Array> {
  const realm = init.realm ?? 1;
  const fields = {
    actrType: must(parseType(init.type ?? "acme:echo:1.0.0"), "a type"), realm: { realmId: realm },
    authMode: init.mode ?? RegisterRequest_AuthMode.LINKED,
    ...init.rules === undefined ? {} : { acl: toAcl(init.rules, realm) },
    ...init.address === undefined ? {} : { wsAddress: init.address },
    ...init.previous === undefined ? {} : { previousId: toActrId(init.previous) }, ...init.more,
  } as MessageInitShape<typeof RegisterRequestSchema>;
  const plain = writeMessage(RegisterRequestSchema, fields);
  if (init.key === undefined) return plain;
  const keyProof = await makeKeyProof(init.key, "register", plain, { at_ms: init.atMs ?? clock.now(), nonce: bytes(32) });
  return writeMessage(RegisterRequestSchema, { ...fields, keyProof } as MessageInitShape<typeof RegisterRequestSchema>);
}

export type Registered = { ok: true; value: RegisterOk; id: NodeId } | { ok: false; code: number; text: string };

export function readRegistered(answer: HttpAnswer): Registered {
  const read = readMessage(RegisterResponseSchema, answer.body);
  if (!read.ok) throw read.fault;
  return toRegistered(read.value.result);
}

export function readRenewed(answer: HttpAnswer): Registered {
  const read = readMessage(RenewCredentialResponseSchema, answer.body);
  if (!read.ok) throw read.fault;
  return toRegistered(read.value.result);
}

type Result = { case: "success"; value: RegisterOk } | { case: "error"; value: { code: number; message: string } }
  | { case: undefined; value?: undefined };

function toRegistered(result: Result): Registered {
  if (result.case === "error") return { ok: false, code: result.value.code, text: result.value.message };
  const value = must(result.value, "an answer");
  return { ok: true, value, id: must(fromActrId(must(value.actrId, "an id")), "an id that reads") };
}

/** A renewal by token, by key, or by both. */
export async function renewal(
  clock: Clock, id: NodeId, o: { token?: Uint8Array; key?: SigningKey; atMs?: number },
): Promise<Uint8Array> {
  const fields = { actrId: toActrId(id), renewalToken: o.token ?? new Uint8Array() };
  const plain = writeMessage(RenewCredentialRequestSchema, fields);
  if (o.key === undefined) return plain;
  const keyProof = await makeKeyProof(o.key, "renew", plain, { at_ms: o.atMs ?? clock.now(), nonce: bytes(32) });
  return writeMessage(RenewCredentialRequestSchema, { ...fields, keyProof });
}

/** A registered node that can connect. */
export interface TestNode {
  readonly id: NodeId;
  readonly ok: RegisterOk;
  readonly key: SigningKey | undefined;
}

/** Registers; throws the refusal. */
export async function join({ realm, clock }: TestRealm, init: RegisterInit & { bearer?: true } = {}): Promise<TestNode> {
  const key = init.bearer ? undefined : init.key ?? await newKey();
  const done = readRegistered(await realm.door.register(await registration(clock, key === undefined ? init : { ...init, key })));
  if (!done.ok) throw new Error(`${done.code}: ${done.text}`);
  return { id: done.id, ok: done.value, key };
}

export interface TestConnection {
  readonly received: SignalingEnvelope[];
  readonly closed: { code: number; reason: string } | undefined;
  readonly incoming: SignalingIn;
  /** Sends a request, gives the answer to it. */
  ask(payload: ActrInit["payload"], more?: Partial<ActrInit>): Promise<SignalingEnvelope>;
  relay(payload: RelayInit["payload"], to: NodeId, more?: Partial<RelayInit>): string;
  /** Sends an envelope as it is; gives its id. */
  send(flow: MessageInitShape<typeof SignalingEnvelopeSchema>["flow"]): string;
  next(what: string, is: (envelope: SignalingEnvelope) => boolean): Promise<SignalingEnvelope>;
}

type ActrInit = MessageInitShape<typeof ActrToSignalingSchema>;
type RelayInit = MessageInitShape<typeof ActrRelaySchema>;
export type AskInit = ActrToSignaling["payload"];

export interface DialInit {
  readonly origin?: Origin;
  readonly answers?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: URLSearchParams;
  /** The proof is made with this one instead of the node's own. */
  readonly key?: SigningKey;
  readonly atMs?: number;
  readonly realmId?: number;
}

export function credentialBytes(node: Pick<TestNode, "ok">): Uint8Array {
  return writeMessage(AIdCredentialSchema, must(node.ok.credential, "a credential"));
}

/** The headers of a node that proves its key, and its hello. */
export function helloHeaders(node: TestNode, clock: Clock, init: DialInit = {}): { headers: Record<string, string>; hello_c: Uint8Array } {
  const hello_c = writeHelloC({
    nonce: bytes(32), sentAtMs: BigInt(init.atMs ?? clock.now()), features: ["rpc1"], realmId: init.realmId ?? node.id.realm,
  });
  return { hello_c, headers: {
    ...bearerHeaders(node), ...node.key === undefined ? {} : { "x-atoll-hello": Buffer.from(hello_c).toString("base64url") },
    ...init.headers,
  } };
}

export function bearerHeaders(node: TestNode): Record<string, string> {
  return {
    "x-actr-source-id": Buffer.from(writeMessage(ActrIdSchema, toActrId(node.id))).toString("hex"),
    "x-actr-credential": Buffer.from(credentialBytes(node)).toString("base64"),
  };
}

export type Dialled = { ok: true; connection: TestConnection } | { ok: false; code: number; why: string | undefined };

/** Connects by the header form; a node without a key as a bearer. */
export async function dial({ realm, clock }: TestRealm, node: TestNode, init: DialInit = {}): Promise<Dialled> {
  const { headers, hello_c } = helloHeaders(node, clock, init);
  const query = init.query ?? new URLSearchParams(init.answers ? { webrtc_role: "answer" } : {});
  const upgrade = await realm.door.signaling({ headers, query, ...init.origin === undefined ? {} : { origin: init.origin } });
  if (!upgrade.ok) return { ok: false, code: upgrade.code, why: upgrade.why };
  const { connection, take } = newConnection(node);
  const incoming = upgrade.open(take);
  connection.incoming = incoming;
  if (node.key !== undefined) {
    const hello_s = new Uint8Array(Buffer.from(upgrade.headers["x-atoll-hello"] ?? "", "base64url"));
    incoming.frame(await makeHelloProof(init.key ?? node.key, { hello_c, hello_s }, credentialBytes(node)));
  }
  return { ok: true, connection };
}

/** As `dial`, and the first ping is answered. */
export async function connect(realm: TestRealm, node: TestNode, init: DialInit = {}): Promise<TestConnection> {
  const dialled = await dial(realm, node, init);
  if (!dialled.ok) throw new Error(`refused: ${dialled.code} ${dialled.why}`);
  await dialled.connection.ask(PING);
  return dialled.connection;
}

export const PING = { case: "ping", value: { availability: 0, powerReserve: 4.5, mailboxBacklog: 0.1 } } as const;

interface Held {
  connection: TestConnection & { incoming: SignalingIn };
  take: { send(frame: Uint8Array): void; close(code: number, reason: string): void; buffered(): number };
}

export function newConnection(node: TestNode): Held {
  const received: SignalingEnvelope[] = [];
  let closed: { code: number; reason: string } | undefined;
  let count = 0;
  const connection = {
    received, incoming: undefined as unknown as SignalingIn,
    get closed() {
      return closed;
    },
    send(flow) {
      const envelopeId = `env-${++count}`;
      connection.incoming.frame(writeSignaling({ envelopeId, flow: flow as never }));
      return envelopeId;
    },
    async ask(payload, more = {}) {
      const value = { source: toActrId(node.id), credential: node.ok.credential, payload, ...more };
      const id = connection.send({ case: "actrToServer", value: value as never });
      return connection.next(`the answer to ${id}`, ({ replyFor }) => replyFor === id);
    },
    relay: (payload, to, more = {}) => connection.send({ case: "actrRelay", value: {
      source: toActrId(node.id), credential: node.ok.credential, target: toActrId(to), payload, ...more,
    } as never }),
    next: (what, is) => until(() => {
      if (closed !== undefined && !received.some(is)) throw new Error(`closed with ${closed.code} ${closed.reason}: no ${what}`);
      return received.find(is);
    }, { what, withinMs: 10_000, everyMs: 1 }),
  } as TestConnection & { incoming: SignalingIn };
  return { connection, take: {
    send: (frame) => {
      const read = readSignaling(frame, 1 << 22);
      if (!read.ok) throw read.fault;
      received.push(read.value);
    },
    close: (code, reason) => void (closed ??= { code, reason }), buffered: () => 0,
  } };
}
