// Node 2.2, 2.3: services with a realm of their own, in one process.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { json, route, service, streamRoute } from "@atoll-run/node";
import { until } from "@atoll-run/testkit";
import { local } from "../../src/compose/local.ts";
import { blockService } from "../../src/compose/block-service.ts";

const Bank = service({ type: "acme:bank:1.0.0", name: "bank.Bank", routes: {
  Add: route({ input: json<{ account: string; amount: number }>(), output: json<number>(), key: (input) => input.account }),
} });

const Other = service({ type: "acme:other:1.0.0", name: "acme.Other", routes: {} });

const bank = () => Bank.implement({
  async Add({ account, amount }, ctx) {
    const balance = Number(await ctx.kv.get(account) ?? 0) + amount;
    ctx.transaction((tx) => tx.kv.set(account, balance));
    return balance;
  },
});

test("local needs nothing but services: they find each other by name, type and id", async () => {
  await using app = await local({ memory: true, services: { bank: bank(), other: Other.implement({}) } });
  const { bank: id } = { bank: app.node("bank").id };
  assert.ok(id !== undefined);
  for (const to of ["bank", Bank.type, id] as const) {
    const before = await app.node("bank").call(Bank.routes.Add, { account: "a", amount: 0 }, { to: "self" });
    assert.equal(await app.node("other").call(Bank.routes.Add, { account: "a", amount: 1 }, { to }), before + 1);
  }
});

test("what local stored in a folder is there at the next start, under the same ids", async () => {
  const dir = await mkdtemp(join(tmpdir(), "atoll-local-"));
  try {
    const ids: unknown[] = [];
    for (const expected of [5, 10]) {
      await using app = await local({ dir, services: { bank: bank() } });
      ids.push(app.node("bank").id);
      assert.equal(await app.node("bank").call(Bank.routes.Add, { account: "a", amount: 5 }, { to: "self" }), expected);
      assert.deepEqual([app.node("bank").health().durability, app.node("bank").health().dir], ["full", dir]);
      await assert.rejects(local({ dir, services: {} }), { code: "node.locked" });
    }
    assert.deepEqual(ids[0], ids[1]);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("a block is a service beside others: it is called, and calls by mesh", async () => {
  const counter = blockService({ type: "acme:counter:1.0.0", script: { name: "counter.lua", source: `
    bus.on("acme.Counter.Next", function(event)
      local n = (event.tx:get("counters", "n") or 0) + 1
      event.tx:set("counters", "n", n)
      return {n = n, from = event.meta.from ~= nil}
    end)
    mesh.on(function(event) return {heard = event.payload.text} end)
    bus.serve()` } });
  const asker = blockService({ type: "acme:asker:1.0.0", script: { name: "asker.lua", source: `
    bus.on("acme.Asker.Ask", function() return mesh.request("counter", {text = "hi"}) end)
    bus.serve()` } });
  await using app = await local({ memory: true, services: { bank: bank(), counter, asker } });
  const call = async (to: string, key: string): Promise<unknown> => {
    const body = await app.node("bank").callRaw(key, Buffer.from("null"), { to });
    return JSON.parse(Buffer.from(body).toString());
  };
  assert.deepEqual(await call("counter", "acme.Counter.Next"), { n: 1, from: true });
  assert.deepEqual(await call("counter", "acme.Counter.Next"), { n: 2, from: true });
  assert.deepEqual(await call("asker", "acme.Asker.Ask"), { heard: "hi" });
});

test("a stream goes to a service and to a block; what the reader raises resets it", async () => {
  const lines: string[] = [];
  const Log = service({ type: "acme:log:1.0.0", name: "acme.Log", routes: {}, streams: { Lines: streamRoute({ item: json<{ line: string }>() }) } });
  const log = Log.implement({ async Lines(items) {
    for await (const { line } of items) {
      if (line === "bad") throw new Error("not this");
      lines.push(line);
    }
  } });
  const block = blockService({ type: "acme:reader:1.0.0", script: { name: "reader.lua", source: `
    local got = {}
    bus.on("stream:acme.Log.Lines", function(event)
      if event.payload.data then got[#got + 1] = std.json.decode(event.payload.data).line end
    end, {isle = "main"})
    bus.on("acme.Reader.Got", function() return got end, {isle = "main"})
    bus.serve()` } });
  await using app = await local({ memory: true, services: { log, block } });
  for (const to of ["self", "block"]) {
    await using out = await app.node("log").openStream(to, Log.streams.Lines);
    for (const line of ["one", "two"]) await out.write({ line });
    await out.end();
  }
  assert.deepEqual(lines, ["one", "two"]);
  const body = await app.node("log").callRaw("acme.Reader.Got", new Uint8Array(), { to: "block" });
  assert.deepEqual(JSON.parse(Buffer.from(body).toString()), ["one", "two"]);
  const bad = await app.node("log").openStream("self", Log.streams.Lines);
  await bad.write({ line: "bad" });
  await until(() => bad.signal.aborted);
  await assert.rejects(bad.write({ line: "more" }), { code: "node.internal" });
});
