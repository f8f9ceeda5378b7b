/**
 * The whole way: a program in another process calls a member of a mob, which is a block in Lua; a reader hears the ledger.
 * Everything is as it runs elsewhere; ears stand at the wire, the store and the threads.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { once } from "node:events";
import { startBlock } from "@atoll-run/atoll";
import { createRealm, type RunningRealm } from "@atoll-run/atoll/node";
import { defineMob, serveMob, type MobRooms } from "@atoll-run/atoll/mob";
import { loadLuaModule, ownThreads } from "@atoll-run/block";
import { Closing, memoryBlobs, parseNodeId, SseDecoder, type Batch, type Clock, type StateOp } from "@atoll-run/core";
import { judge, readEnvelope, readFrame, WIRE_LIMITS, type Envelope, type Rule } from "@atoll-run/core/internal";
import { startMob } from "@atoll-run/mob";
import { memberScope } from "@atoll-run/mob/internal";
import { createProcessDoor, createProcessRoom, newNodeKey, realmNetwork } from "@atoll-run/node/internal";
import { openState } from "@atoll-run/sqlite";
import { seededIds } from "@atoll-run/testkit";
import { overheard, overheardStore } from "./overheard.ts";
import { still, type Step } from "./step.ts";
import { openTap, type Tap } from "./tap.ts";

export const MEMBER_SCRIPT = `
bus.on("turn", function(event)
  print(std.json.encode({ id = event.id, kind = event.kind, payload = event.payload, meta = event.meta }))
  return { text = "hello " .. event.payload.name }
end)
bus.serve()
`;
const CALLER = join(import.meta.dirname, "caller.ts");
/** Others keep house, and stand in whichever batch leaves first. */
const SHOWN: ReadonlySet<string> = new Set(["accept", "settle", "remember", "append"]);
const CALLER_MS = 90_000;
const RULES: readonly Rule[] = [{ effect: "allow", from: { type: "acme:desk:1.0.0", realm: "self", proof: "key" }, actions: ["call:greeter/turn"] }];
const definition = defineMob({
  mob: { id: "walk", members: [{ id: "greeter", profile: "greeter" }] }, profiles: { greeter: { script: "greeter.lua", external: true } },
});

/** What the ears have heard. */
class Heard {
  readonly batches: Batch[] = [];
  readonly thread: { readonly way: "to" | "from"; readonly message: { t: string } }[] = [];
  readonly received: unknown[] = [];
  printed = "";

  /** The first batch of the member's scope that has such an op. */
  batch(has: (op: StateOp) => boolean): readonly StateOp[] {
    const ops = this.batches.find((batch) => batch.scope === memberScope("greeter") && batch.ops.some(has))?.ops ?? [];
    return ops.filter(({ op }) => SHOWN.has(op));
  }

  message(way: "to" | "from", t: string): unknown {
    return this.thread.find((one) => one.way === way && one.message.t === t)?.message;
  }
}

export async function mobWalk(clock: Clock): Promise<readonly Step[]> {
  const closing = new Closing();
  try {
    const dir = await mkdtemp(join(tmpdir(), "atoll-walk-"));
    closing.defer(() => rm(dir, { recursive: true, force: true }));
    await writeFile(join(dir, "greeter.lua"), MEMBER_SCRIPT);
    const heard = new Heard();
    const realm = closing.use(await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } }));
    const port = await freePort();
    const tap = closing.use(await openTap(() => port));
    const mob = closing.use(await openTheMob({ dir, clock, heard, realm, port, tap, closing }));
    const http = closing.use(await serveMob({ rooms: mob }, { port: 0 }));
    const { stdout } = await promisify(execFile)(process.execPath, [CALLER, realm.addresses?.url ?? ""], { timeout: CALLER_MS });
    const stream = await listen(http, "greeter");
    return steps({ heard, tap, answer: JSON.parse(stdout), stream });
  } finally {
    await closing.close();
  }
}

interface House {
  readonly dir: string;
  readonly clock: Clock;
  readonly heard: Heard;
  readonly realm: RunningRealm;
  readonly port: number;
  readonly tap: Tap;
  readonly closing: Closing;
}

async function openTheMob({ dir, clock, heard, realm, port, tap, closing }: House): Promise<MobRooms> {
  const store = overheardStore(closing.use(await openState({ dir })), (batch) => void heard.batches.push(batch));
  const parts = {
    clock, store, ids: seededIds(1), random: Math.random, bytes: (count: number) => randomBytes(count), log: { write: () => undefined }, room: createProcessRoom(),
  };
  const placing = overheard(ownThreads(loadLuaModule().module), (way, message) => void heard.thread.push({ way, message }));
  return await startMob({
    ...parts, blobStore: memoryBlobs(), dir, root: dir, scriptAt: (script) => join(dir, script), linked: {},
    startBlock: (config) => {
      const run = startBlock({ ...config, parts: { placing }, stdout: (bytes) => void (heard.printed += Buffer.from(bytes).toString()) });
      run.on("bus:received", (fact) => void heard.received.push(fact));
      return run;
    },
    outside: {
      rules: RULES,
      network: (kept) => realmNetwork({
        ...parts, store: kept, door: createProcessDoor(realm.door), key: () => newNodeKey(parts.bytes),
      }, { realm: realm.id, vouch: { mode: "linked" }, webSocket: { listen: { host: "127.0.0.1", port, advertise: `127.0.0.1:${tap.port}` } } }),
    },
  }, definition);
}

function steps({ heard, tap, answer, stream }: {
  readonly heard: Heard; readonly tap: Tap; readonly answer: unknown; readonly stream: readonly unknown[];
}): readonly Step[] {
  const asked = find(tap, "in", "request");
  const replied = find(tap, "out", "response");
  const queued = heard.batch((op) => op.op === "append" && op.body.includes("turn_queued"));
  const done = heard.batch((op) => op.op === "append" && op.body.includes("turn_done"));
  const principal = parseNodeId(/"principal":"([^"]+)"/.exec(JSON.stringify(stream))?.[1] ?? "");
  const action = { kind: "call", name: asked.envelope.route_key } as const;
  const verdict = judge(RULES, { principal: principal === undefined ? undefined : { kind: "peer", id: principal, proof: "key" }, realm: 1 }, action);
  const head = Buffer.from(asked.bytes).toString("hex", 0, 27);
  return [
    { iam: "a `Uint8Array` of a WebSocket", room: "node/src/wire/websocket/ws.ts", refuses: "a message over the limit: the link closes",
      value: { first_bytes: head } },
    { iam: "a `Frame`", room: "core/src/codec/frame.ts", refuses: "`codec.too_large`, `codec.malformed`: the link closes",
      value: { lane: asked.lane, body: "<bytes>" } },
    { iam: "an `Envelope`", room: "core/src/codec/envelope.ts", refuses: "`codec.malformed`", value: shown(asked.envelope) },
    { iam: "admitted: who asks is proved, and a rule allows it", room: "node/src/gate/inbound.ts", refuses: "`node.permission_denied`, `node.overloaded`",
      value: { principal, action, verdict } },
    { iam: "a turn in the mailbox of the member, and an entry of the ledger: one commit", room: "mob/src/member/sender.ts",
      refuses: "`mob.not_addressable`, `mob.overloaded`, `mob.conflict`; a turn that is there already is that turn", value: queued.map(shownOp) },
    { iam: "a delivery: leased, one at a time of a conversation", room: "node/src/dispatch/dispatch.ts", refuses: "nothing: a lease that runs out goes back to step 5",
      value: { lease_until_at_ms: leaseOf(heard.batches.flatMap(({ ops }) => ops)) } },
    { iam: "a `BusEvent` of the block", room: "block/src/bus/dispatcher.ts", refuses: "`bus.no_handler`, `bus.overloaded`", value: heard.received[0] },
    { iam: "JSON text on its way into the VM", room: "block/src/isle/thread/protocol.ts", refuses: "`isle.memory`, `isle.timeout`", value: heard.message("to", "event") },
    { iam: "a Lua table in the hands of the handler", room: "block/src/isle/thread/tenant.ts", refuses: "what the script refuses",
      value: JSON.parse(heard.printed) },
    { iam: "an `Outcome`: the end of the turn and its entry are one commit", room: "node/src/dispatch/completion.ts", refuses: "`mob.stale_fence`: another has begun",
      value: { handled: heard.message("from", "handled"), commit: done.map(shownOp) } },
    { iam: "an `Envelope` again, the reply", room: "node/src/gate/answers.ts", refuses: "nothing: who has lost its link asks again", value: shown(replied.envelope) },
    { iam: "a value in the other process", room: "mob/src/outside/member-at.ts", refuses: "`node.timed_out`: asked again under its id it is the same turn", value: answer },
    { iam: "entries of the ledger, as an SSE reader hears them", room: "mob/src/http/streams.ts", refuses: "a cursor of another history: 410", value: stream },
  ].map((step) => ({ ...step, value: still(step.value) }));
}

/** It is in the commit that accepts, when that has not left yet. */
function leaseOf(ops: readonly StateOp[]): number | undefined {
  for (const op of ops) {
    if (op.op === "lease") return op.until_at_ms;
    if (op.op === "accept" && op.lease_until_at_ms !== null) return op.lease_until_at_ms;
  }
  return undefined;
}

interface Passed {
  readonly bytes: Uint8Array;
  readonly lane: string;
  readonly envelope: Envelope;
}

function find(tap: Tap, way: "in" | "out", direction: Envelope["direction"]): Passed {
  for (const { way: own, bytes } of tap.passed) {
    const frame = own === way ? readFrame(bytes, WIRE_LIMITS.messageBytesMax) : undefined;
    const envelope = frame?.ok === true && frame.value.lane === "rpc_reliable" ? readEnvelope(frame.value.body) : undefined;
    if (frame?.ok === true && envelope?.ok === true && envelope.value.direction === direction && envelope.value.request_id === "question-1") {
      return { bytes, lane: frame.value.lane, envelope: envelope.value };
    }
  }
  throw new Error(`no ${direction} has passed`);
}

function shown({ payload, ...rest }: Envelope): unknown {
  return { ...rest, ...payload === undefined ? {} : { payload: Buffer.from(payload).toString() } };
}

function shownOp(op: StateOp): unknown {
  if (op.op === "accept") {
    const { sender, route, request_id, key } = op.mail as unknown as Readonly<Record<string, unknown>>;
    return { op: op.op, mail: { sender, route, request_id, key } };
  }
  if (op.op === "append") return { ...op, body: JSON.parse(op.body) as unknown };
  return op;
}

async function listen({ url, token }: { readonly url: string; readonly token: string }, member: string): Promise<readonly unknown[]> {
  const ending = new AbortController();
  const response = await fetch(`${url}/v1/stream?topics=member:${member}&after=0`, { headers: { authorization: `Bearer ${token}` }, signal: ending.signal });
  const decoder = new SseDecoder(1_000_000);
  const entries: { readonly kind: string }[] = [];
  for await (const piece of response.body as AsyncIterable<Uint8Array>) {
    entries.push(...decoder.push(piece).map(({ data }) => JSON.parse(data) as { kind: string }));
    if (entries.some(({ kind }) => kind === "turn_done")) break;
  }
  ending.abort();
  return entries.filter(({ kind }) => kind.startsWith("turn_"));
}

/** The tap has to be told of it before the mob binds it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
