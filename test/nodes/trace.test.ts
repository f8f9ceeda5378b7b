// Goal: what happens to a request in three processes is one trace. Invariant: each hop is a child of the one that asked,
// and the dead letter names the trace. Method: three processes with an SDK of OpenTelemetry each, over WebSockets.
import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { promisify } from "node:util";
import { createNode, createRealm, json, route, service } from "@atoll-run/atoll/node";
import { RELAY_TYPE, takeSpans, type Told } from "./trace-process.ts";

const MAIN = join(import.meta.dirname, "../../packages/atoll/bin/main.ts");

interface Other {
  readonly child: ChildProcess;
  /** Ends it; gives what it has told. */
  end(): Promise<readonly Told[]>;
}

async function begin(role: string, url: string, dir: string): Promise<Other> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "trace-process.ts"), role, url, dir], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  assert.match(String((await lines.next()).value), new RegExp(`/acme:${role}:1\\.0\\.0$`));
  return { child, end: async () => {
    child.stdin.end();
    return JSON.parse(String((await lines.next()).value)) as Told[];
  } };
}

const Front = service({ type: "acme:front:1.0.0", name: "acme.Front", routes: { Go: route({ input: json<object>(), output: json<unknown>() }) } });

/** Streams an item to the relay, then asks it. */
const front = Front.implement({ Go: async (_, ctx) => {
  await using stream = await ctx.openStream(RELAY_TYPE, "items");
  await stream.write(Buffer.from('"an item"'));
  await stream.end();
  const answer = await ctx.callRaw("acme.Relay.Pass", Buffer.from("{}"), { to: RELAY_TYPE });
  return JSON.parse(Buffer.from(answer).toString()) as unknown;
} });

/** What happened, as each of three processes has told it, and the letters of the last. */
async function story(): Promise<{ readonly spans: readonly (readonly Told[])[]; readonly letters: readonly { traceparent: string; route: string }[] }> {
  const taken = takeSpans({ contexts: true });
  const dir = await mkdtemp(join(tmpdir(), "atoll-trace-"));
  const others: Other[] = [];
  try {
    await using realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
    const url = realm.addresses?.url ?? "";
    const acl = [{ effect: "allow", from: { type: "*:*:*", realm: "self", proof: "key" }, actions: ["*"] }] as const;
    await using node = await createNode({ name: "front", memory: true, realm: { url }, acl }).link(front).start();
    for (const role of ["last", "relay"]) others.push(await begin(role, url, join(dir, role)));
    assert.deepEqual(await node.call(Front.routes.Go, {}, { to: "self" }), { ok: false });
    const told: (readonly Told[])[] = [];
    // The relay first empties its outbox; the last one waits for what it gets.
    const [last, relay] = others as [Other, Other];
    told.push(await last.end(), await relay.end());
    const spans = [taken.all(), told[1] as readonly Told[], told[0] as readonly Told[]];
    const dlq = async (...args: readonly string[]): Promise<string> =>
      (await promisify(execFile)(process.execPath, [MAIN, "dlq", ...args, "--json", "--state", join(dir, "last"), "--node", "last"])).stdout;
    const { letters } = JSON.parse(await dlq("list")) as { letters: { seq: number }[] };
    const shown: { traceparent: string; route: string }[] = [];
    // One after the other: each takes the folder for itself.
    for (const { seq } of letters) shown.push(JSON.parse(await dlq("show", String(seq))) as { traceparent: string; route: string });
    return { spans, letters: shown };
  } finally {
    for (const { child } of others) child.kill("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  }
}

test("three hops, a stream and a dead letter are one trace: each hop is a child of the one that asked", { timeout: 120_000 }, async () => {
  const { spans, letters } = await story();
  const all = spans.flat();
  const one = (process: number, name: string, facts: Readonly<Record<string, unknown>> = {}): Told => {
    const found = spans[process]?.filter((span) => span.name === name && Object.entries(facts).every(([key, value]) => span.facts[`atoll.${key}`] === value));
    assert.equal(found?.length, 1, `${name} ${JSON.stringify(facts)} in process ${process}`);
    return (found as [Told])[0];
  };
  const asked = one(0, "atoll.call", { route: "acme.Front.Go" });
  assert.equal(asked.parent, undefined, "the host began the trace");
  const hops = [
    asked, one(0, "atoll.dispatch"), one(0, "atoll.call", { route: "acme.Relay.Pass" }),
    one(1, "atoll.dispatch"), one(1, "bus.handle", { "bus.kind": "acme.Relay.Pass" }), one(1, "mesh.request"), one(1, "atoll.call"),
    one(2, "atoll.dispatch", { kind: "call" }), one(2, "atoll.commit", { kind: "call" }),
  ];
  for (const [at, hop] of hops.entries()) {
    if (at > 0) assert.deepEqual([hop.name, hop.trace, hop.parent], [hop.name, asked.trace, hops[at - 1]?.id]);
  }
  // Around each hop: taken in, waited, answered.
  for (const [process, route] of [[1, "acme.Relay.Pass"], [2, "atoll.block.v1.Mesh"]] as const) {
    const from = one(process - 1, "atoll.call", { route });
    for (const name of ["accept", "queue", "reply"]) assert.equal(one(process, `atoll.${name}`, { route }).parent, from.id, name);
  }
  const wrote = one(0, "atoll.stream", { kind: "write" });
  const read = one(1, "atoll.stream", { kind: "read" });
  assert.deepEqual([wrote.trace, wrote.parent, read.parent], [asked.trace, hops[1]?.id, wrote.id]);
  assert.ok(spans[1]?.some(({ name, parent }) => name === "bus.handle" && parent === read.id), "the block reads it in the trace");
  // What a transaction tells goes later, and is tried twice.
  const told = one(1, "atoll.tell");
  assert.deepEqual([told.trace, told.parent], [asked.trace, hops[3]?.id]);
  const first = one(2, "atoll.dispatch", { kind: "tell", attempt: 1 });
  const second = one(2, "atoll.dispatch", { kind: "tell", attempt: 2 });
  assert.deepEqual([first.parent, first.links, second.parent, second.links], [told.id, [], told.id, [first.id]], "a retry links to the run before it");
  assert.equal(one(2, "atoll.commit", { kind: "tell" }).facts["atoll.outcome"], "handler_failed");
  assert.deepEqual(letters.map(({ route, traceparent }) => [route, traceparent]).sort(), [
    ["atoll.block.v1.Mesh", `00-${asked.trace}-${hops[6]?.id}-01`], ["atoll.block.v1.Note", `00-${asked.trace}-${told.id}-01`],
  ], "each letter names the span that asked for it");
  const hop = { node: /^\w+@1\/acme:last:1\.0\.0$/, peer: /^\w+@1\/acme:relay:1\.0\.0$/, route: /^atoll\.block\.v1\.Mesh$/, request_id: /^[\w-]{36}$/, outcome: /^failed$/ };
  for (const [name, text] of Object.entries(hop)) assert.match(String(hops[7]?.facts[`atoll.${name}`]), text);
  assert.doesNotMatch(JSON.stringify(all), /secret text|an item/, "never a body");
  assert.ok(spans[0]?.some(({ name, facts }) => name === "atoll.connect" && facts["atoll.outcome"] === "connected"));
});
