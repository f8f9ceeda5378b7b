/**
 * The mesh of a block that runs alone: a node for it in a realm, for as long as the block runs (`atoll run --relay`).
 * takes the address of a realm; gives a `Mesh`; promises that the block can be asked by every node of the realm and by
 * nobody else; refuses, with `mesh.connect_failed`, when the realm cannot be reached; never keeps anything on the disk.
 */
import { blockError, type BlockParts } from "@atoll-run/block";
import { MESH_ROUTE, nodeMesh } from "@atoll-run/block/internal";
import {
  type CallOpts, formatNodeId, isFault, type Json, type Log, type Mesh, nodeError, type Outcome, parseJson, stringifyJson,
  type WorkloadMessage, type Workload,
} from "@atoll-run/core";
import { toSigningKey } from "@atoll-run/core/internal";
import { createNode as assembleNode, type NodeHandle } from "@atoll-run/node";
import type { NodeKey } from "@atoll-run/node/internal";
import { type NodeConfig, toParts } from "./create-node.ts";
import { openPlace } from "./place.ts";

type OpenRelay = NonNullable<BlockParts["relay"]>;
type Joined = Awaited<ReturnType<OpenRelay>>;
type Serve = Parameters<Mesh["serve"]>[0];

const CONNECT_MS = 10_000;
/** When the block does not listen yet. */
const NOT_YET_MS = 50;
const TYPE = { manufacturer: "local", name: "Block", version: "0.0.0" };
const SEED = /^[0-9a-f]{64}$/i;

/** The URL of the realm may begin with `ws`, which means `http`. Throws `mesh.connect_failed`, after 10 s at the latest. */
export async function openRelayMesh({ relayUrl, secretKey, log, signal }: Parameters<OpenRelay>[0]): Promise<Joined> {
  const inTime = AbortSignal.any([AbortSignal.timeout(CONNECT_MS), signal]);
  try {
    return await open({ url: relayUrl.replace(/^ws/, "http"), secretKey, log, signal: inTime });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = isFault(error) && error.hint !== undefined ? { hint: error.hint } : {};
    throw blockError("mesh.connect_failed", `mesh error: connect to ${relayUrl} failed: ${reason}`, { cause: error, ...hint });
  }
}

interface Opening {
  readonly url: string;
  readonly secretKey: string | undefined;
  readonly log: Log | undefined;
  readonly signal: AbortSignal;
}

async function open({ url, secretKey, log, signal }: Opening): Promise<Joined> {
  const config: NodeConfig = { name: "block", memory: true, realm: { url }, ...log === undefined ? {} : { env: { log } } };
  const place = await openPlace(config);
  const served: { by?: Serve } = {};
  const own = secretKey === undefined ? {} : { key: () => keyOf(secretKey) };
  let handle: NodeHandle;
  try {
    const node = assembleNode(toParts({ ...place, ...own }, config), {
      name: "block", type: TYPE, durability: "memory",
      rules: [{ effect: "allow", from: { type: "*:*:*", realm: "self" }, actions: [`call:${MESH_ROUTE}`, `tell:${MESH_ROUTE}`] }],
    });
    handle = await (await node.attach(toWorkload(served))).start({ signal });
  } catch (error) {
    await place.close();
    throw error;
  }
  const id = handle.id === undefined ? "block" : formatNodeId(handle.id);
  const { request } = nodeMesh(id, {
    call: async ({ to, route, payload, deadlineMs, signal }) => ({
      payload: await handle.callRaw(route, payload, { to, signal, ...deadlineMs === undefined ? {} : { deadlineMs } }),
    }),
  });
  return {
    id, request,
    serve: (fn) => {
      served.by = fn;
      return { [Symbol.dispose]: () => delete served.by };
    },
    [Symbol.asyncDispose]: async () => {
      await handle.close({ deadlineMs: CONNECT_MS });
      await place.close();
    },
  };
}

function keyOf(secretKey: string): Promise<NodeKey> {
  if (!SEED.test(secretKey)) throw nodeError("node.invalid_argument", "the secret key is not 64 hex digits");
  return toSigningKey(Uint8Array.from(Buffer.from(secretKey, "hex")));
}

/** Gives what peers ask to the block, once it listens. */
function toWorkload(served: { by?: Serve }): Workload {
  return {
    kind: "linked", concurrency: 64, route: (route) => route === MESH_ROUTE ? { policy: { volatile: true } } : undefined,
    start: async () => undefined, close: async () => undefined,
    dispatch: async (message, context) => {
      if (served.by === undefined) return { is: "again", after_ms: NOT_YET_MS };
      return await dispatch(served.by, message, { deadlineMs: context.remainingMs(), signal: context.signal });
    },
  };
}

async function dispatch(serve: Serve, { caller, payload }: WorkloadMessage, o: CallOpts): Promise<Outcome> {
  const parsed = payload.length === 0 ? { ok: true as const, value: null } : parseJson(new TextDecoder().decode(payload), { floats: true });
  if (!parsed.ok) return { is: "failed", fault: nodeError("node.decode_failure", `the payload is not JSON: ${parsed.problem}`) };
  const from = caller.kind === "peer" ? formatNodeId(caller.id) : "";
  const reply: Json = await serve(from, parsed.value, o);
  const written = stringifyJson(reply);
  return { is: "done", reply: new TextEncoder().encode(written.ok ? written.text : "null"), content_type: "application/json" };
}
