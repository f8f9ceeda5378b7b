// Node 9.3: what a block sees of the node that runs it: kinds, transactions, peers, streams, hooks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type StartRun, toWorkload } from "@atoll-run/atoll";
import type {
  Ask, CallReply, DispatchContext, InStream, Json, Outcome, Speaker, Workload, WorkloadHost, Write,
} from "@atoll-run/core";
import { nodeError } from "@atoll-run/core";
import { type Config, start, type Started } from "./support.ts";

const MESH = "atoll.block.v1.Mesh";

interface Host extends AsyncDisposable {
  readonly workload: Workload;
  readonly writes: Write[];
  readonly documents: Map<string, string>;
  /** Asks that reached a speaker, and which: of the node, or of the message that was handled. */
  readonly asks: (Ask & { by: string })[];
  readonly deaths: string[];
  readonly started: () => Started;
  send(route: string, payload: Json | Uint8Array, kind?: "call" | "tell"): Promise<Outcome>;
  readonly context: DispatchContext;
}

interface HostOptions extends Config {
  readonly answer?: (ask: Ask) => CallReply;
  readonly routes?: Parameters<typeof toWorkload>[1] extends infer O ? NonNullable<O> extends { routes?: infer R } ? R : never : never;
}

/** A block in the place of a node's workload. */
async function host(source: string, { answer = refuse, routes, ...config }: HostOptions = {}): Promise<Host> {
  const writes: Write[] = [];
  const asks: (Ask & { by: string })[] = [];
  const deaths: string[] = [];
  const documents = new Map<string, string>();
  let started: Started | undefined;
  const run: StartRun = (mesh) => (started = start(source, { ...config, mesh })).run;
  const workload = toWorkload(run, routes === undefined ? {} : { routes });
  const speaker = (by: string): Speaker => ({
    call: async (ask) => {
      asks.push({ ...ask, by });
      return answer(ask);
    },
    tell: none, discover: none, openStream: none,
  });
  const context: DispatchContext = {
    ...speaker("message"), self: "1@1/acme:block:1.0.0", deadlineAtMs: Date.now() + 20_000, remainingMs: () => 20_000,
    signal: new AbortController().signal, record: (given) => void writes.push(...given),
    read: async (space, key) => ({ value: documents.get(`${space}/${key}`) ?? null, version: 0 }),
  };
  const parts: WorkloadHost = {
    self: context.self, speaker: speaker("node"), log: { write: () => undefined }, failed: () => undefined,
    died: (fault) => void deaths.push(fault.code),
  };
  await workload.start(parts, { signal: context.signal });
  return {
    workload, writes, documents, asks, deaths, context, started: () => started as Started,
    send: (route, payload, kind = "call") => workload.dispatch({
      kind, id: "m-1", route, metadata: [], caller: { kind: "local" }, attempt: 1, redelivered: false,
      payload: payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload)),
    }, context),
    [Symbol.asyncDispose]: () => workload.close({ signal: AbortSignal.timeout(20_000) }),
  };
}

const none = (): Promise<never> => Promise.reject(new Error("not asked for"));
const refuse = (): never => {
  throw nodeError("node.unavailable", "nobody there");
};

function replyOf(outcome: Outcome): Json {
  assert.equal(outcome.is, "done", JSON.stringify(outcome));
  return outcome.is === "done" ? JSON.parse(Buffer.from(outcome.reply).toString()) as Json : null;
}

function codeOf(outcome: Outcome): string {
  return outcome.is === "failed" ? outcome.fault.code : outcome.is;
}

const TX: readonly [string, Config][] = [
  [`bus.on("order", function(event)
      event.tx:set("orders", event.id, {n = event.payload})
      event.tx:delete("old", "x")
      event.tx:tell("bob", "acme.Log.Line", {text = "done"})
      return event.tx:get("orders", "seen")
    end)
    bus.serve()`, {}],
  [`import { bus } from "@atoll-run/atoll/script";
    await bus.on("order", async (event) => {
      await event.tx.set("orders", event.id, { n: event.payload });
      await event.tx.delete("old", "x");
      await event.tx.tell("bob", "acme.Log.Line", { text: "done" });
      return event.tx.get("orders", "seen");
    });
    await bus.serve();`, { script: { source: "", name: "test.js", language: "js" } }],
];
for (const [source, config] of TX) {
  const { script } = config;
  const given = script === undefined ? config : { script: { ...script as { name: string }, source } } as Config;
  test(`event.tx records what is done with the answer (${script === undefined ? "Lua" : "JavaScript"})`, async () => {
    await using own = await host(source, given);
    own.documents.set("orders/seen", '{"n":[1]}');
    assert.deepEqual(replyOf(await own.send("order", 7)), { n: [1] });
    assert.deepEqual(own.writes.map((write) => write.write === "tell" ? { ...write, payload: Buffer.from(write.payload).toString() } : write), [
      { write: "set", space: "orders", key: "m-1", value: '{"n":7}' }, { write: "delete", space: "old", key: "x" },
      { write: "tell", to: "bob", route: "acme.Log.Line", payload: '{"text":"done"}', content_type: "application/json" },
    ]);
  });
}

test("event.tx is over with its event", async () => {
  await using own = await host(`
    local kept
    bus.on("keep", function(event) kept = event.tx end, {isle = "main"})
    bus.on("use", function(event) return event.tx == kept end, {isle = "main"})
    bus.on("late", function() local ok, why = pcall(function() kept:set("a", "b", 1) end) return tostring(why) end, {isle = "main"})
    bus.serve()`);
  await own.send("keep", null);
  assert.equal(replyOf(await own.send("use", null)), true);
  // without a node the event has no transaction
  assert.match(String(await own.started().run.request("late", null)), /event\.tx: the event is over/);
});

test("a route goes to its handler, else to mesh, else to on_any, else it is unknown", async () => {
  const kinds = `function(event) return {event.kind, event.meta.route, event.meta.kind} end`;
  await using own = await host(`bus.on("acme.A.B", ${kinds}) bus.serve()`);
  assert.deepEqual(replyOf(await own.send("acme.A.B", null)), ["acme.A.B", "acme.A.B", "call"]);
  assert.equal(own.workload.route("acme.A.C", "call"), undefined);
  assert.equal(codeOf(await own.send("acme.A.C", null)), "node.unknown_route");
  await using any = await host(`bus.on_any(${kinds}) bus.serve()`);
  assert.deepEqual(replyOf(await any.send("acme.A.C", null)), ["acme.A.C", "acme.A.C", "call"]);
  await using mesh = await host(`mesh.on(${kinds}) bus.serve()`);
  assert.deepEqual(replyOf(await mesh.send("acme.A.C", null, "tell")), ["mesh", "acme.A.C", "tell"]);
});

test("an unmodified mesh.on script answers what a peer's mesh.request asks, its failures as values", async () => {
  await using own = await host(`mesh.on(function(event) if event.payload.q == "bad" then error("no luck", 0) end return {got = event.payload.q} end) bus.serve()`);
  assert.deepEqual(replyOf(await own.send(MESH, { q: 1 })), { got: 1 });
  assert.deepEqual(replyOf(await own.send(MESH, { q: "bad" })), { error: "no luck" });
});

test("mesh.request of a block is a call of its node: in a handler within the message's budget, else the node's own", async () => {
  const answer = (): CallReply => ({ payload: Buffer.from('{"ok":true}') });
  await using own = await host(`
    bus.on("ask", function() return {mesh.request("bob", {q = 1}), mesh.agent_id()} end)
    mesh.send("carol", {note = "up"})
    bus.serve()`, { answer });
  assert.deepEqual(replyOf(await own.send("ask", null)), [{ ok: true }, "1@1/acme:block:1.0.0"]);
  assert.deepEqual(own.asks.map(({ to, by, route, deadlineMs = 0 }) => [to, by, route, deadlineMs <= 20_000]), [
    ["carol", "node", MESH, true], ["bob", "message", MESH, true],
  ]);
});

test("a peer that cannot be reached is a mesh error with the node's code among its facts", async () => {
  await using own = await host(`bus.on("ask", function() local ok, e = pcall(mesh.request, "bob", 1) return {e.code, e.node_code or e.facts and e.facts.node_code} end) bus.serve()`);
  assert.equal((replyOf(await own.send("ask", null)) as Json[])[0], "mesh.connect_failed");
});

test("a body may be text or bytes", async () => {
  const routes = { "acme.A.Text": { codec: "text" }, "acme.A.Bytes": { codec: "bytes" } } as const;
  await using own = await host(`bus.on_any(function(event) return {#event.payload, event.payload:byte(1)} end) bus.serve()`, { routes });
  assert.deepEqual(replyOf(await own.send("acme.A.Bytes", new Uint8Array([255, 0, 254]))), [3, 255]);
  assert.deepEqual(replyOf(await own.send("acme.A.Text", Buffer.from("{"))), [1, 123]);
  assert.equal(codeOf(await own.send("acme.A.Json", Buffer.from("{"))), "node.decode_failure");
});

test("a refusal has its details as body, a named fault its retry class", async () => {
  await using own = await host(`
    bus.on("refuse", function() error({code = "no_funds", message = "too little", details = {short = 3}}) end)
    bus.on("full", function() error({atoll = "node.overloaded", retry_after_ms = 700}) end)
    bus.serve()`);
  const refused = await own.send("refuse", null);
  assert.ok(refused.is === "rejected" && refused.code === "no_funds" && refused.text === "too little");
  assert.equal(Buffer.from(refused.body).toString(), '{"short":3}');
  const full = await own.send("full", null);
  assert.ok(full.is === "failed" && full.fault.code === "node.overloaded" && full.fault.retry_after_ms === 700);
});

test("a message of the chain that holds the block is refused at once", async () => {
  const gate = Promise.withResolvers<CallReply>();
  const answer = (): CallReply => gate.promise as unknown as CallReply;
  await using own = await host(`bus.on("ask", function() return mesh.request("bob", 1) end) bus.serve()`, { answer });
  const outer = own.send("ask", null);
  assert.equal(codeOf(await own.send("ask", null)), "node.unavailable");
  gate.resolve({ payload: Buffer.from("1") });
  assert.equal(replyOf(await outer), 1);
});

test("a stream is open, data and end; what a handler raises resets it", async () => {
  await using own = await host(`
    local got = {}
    bus.on("stream:acme.A.Lines", function(event)
      if event.payload.data == "bad" then error("not this", 0) end
      got[#got + 1] = event.payload.event .. (event.payload.data or "") .. event.payload.seq
    end, {isle = "main"})
    bus.on("got", function() return got end, {isle = "main"})
    bus.serve()`);
  await own.workload.stream?.(streamOf("acme.A.Lines", ["a", "b"]), own.context);
  assert.deepEqual(replyOf(await own.send("got", null)), ["open0", "dataa1", "datab2", "end3"]);
  await assert.rejects(async () => own.workload.stream?.(streamOf("acme.A.Lines", ["bad"]), own.context), /not this/);
  assert.equal(own.workload.stream?.(streamOf("acme.A.Other", []), own.context), undefined);
});

function streamOf(name: string, items: readonly string[]): InStream {
  return {
    id: "s-1", name, peer: { kind: "local" }, mode: "reliable", headers: [{ key: "k", value: "v" }], dropped: 0,
    async *[Symbol.asyncIterator]() {
      for (const item of items) yield Buffer.from(item);
    },
  };
}

test("a handler that is still at work when the time of its message is over was late, and has not failed", async () => {
  await using own = await host(`
    local never = function() std.task.sleep(60000) end
    bus.on("acme.A.Slow", never) bus.on("mesh", never)
    bus.serve()`);
  for (const route of ["acme.A.Slow", MESH]) {
    const overAtMs = performance.now() + 50;
    const context: DispatchContext = { ...own.context, remainingMs: () => overAtMs - performance.now() };
    const outcome = await own.workload.dispatch({
      kind: "call", id: "m-2", route, metadata: [], caller: { kind: "local" }, attempt: 1, redelivered: false, payload: Buffer.from("{}"),
    }, context);
    assert.equal(outcome.is === "failed" ? outcome.fault.code : outcome.is, "node.timed_out", route);
  }
});

test("a hook goes only to a handler of exactly its kind", async () => {
  await using own = await host(`
    local seen
    bus.on("hook:on_ready", function(event) seen = {event.id, event.payload.seq} end, {isle = "main"})
    bus.on_any(function(event) return event.kind == "seen" and seen or "any" end, {isle = "main"})
    bus.serve()`);
  const event = { seq: 4, at_ms: 1, name: "on_ready", fact: {} };
  await own.workload.hook?.({ ...event, name: "on_start", seq: 3 }, own.context);
  await own.workload.hook?.(event, own.context);
  assert.deepEqual(replyOf(await own.send("seen", null)), ["hook-4", 4]);
});

test("a script that ends before it serves fails the start; one that ends later has died", async () => {
  await assert.rejects(host(`error("no config", 0)`), { code: "script.failed" });
  const own = await host(`bus.serve() error("broke", 0)`);
  own.started().run.stop().catch(() => undefined);
  await own.started().end;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(own.deaths, ["script.failed"]);
});
