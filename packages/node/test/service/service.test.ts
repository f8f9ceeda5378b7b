import assert from "node:assert/strict";
import { test } from "node:test";
import { createTalk } from "@atoll-run/node/internal";
import { bytes, err, json, proto, route, service, type BusinessError, type In, type Out } from "@atoll-run/node";
import { until } from "@atoll-run/testkit";
import { loopback } from "../support/loopback.ts";
import { isoDate, shape } from "../support/schemas.ts";

const Charge = route({
  input: shape({ account: "string", amount: "number" }), output: shape({ id: "string" }),
  errors: { no_funds: shape({ short: "number" }), closed: null },
  key: (input) => input.account,
});
const Bank = service({
  type: "acme:bank:1.0.0", name: "bank.Bank",
  routes: {
    Charge, Note: route({ input: json<{ text: string }>(), tell: true, attempts: 3 }),
    Echo: route({ input: bytes, output: bytes }), Day: route({ input: isoDate, output: isoDate }),
    Count: route({ output: json<number>() }),
    Own: route({ input: proto({ encode: (n: number) => new Uint8Array([n]), decode: (b) => b[0] ?? 0 }), output: json<number>() }),
  },
});

// What the compiler must know; a wrong type does not compile.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const types: [
  Same<In<typeof Bank.routes.Charge>, { account: string; amount: number }>,
  Same<Out<typeof Bank.routes.Charge>, { id: string }>,
  Same<In<typeof Bank.routes.Day>, string>, Same<Out<typeof Bank.routes.Day>, Date>,
  Same<Out<typeof Bank.routes.Count>, number>, Same<In<typeof Bank.routes.Count>, void>,
  BusinessError<typeof Bank.routes.Charge> extends
    { code: "no_funds"; details: { short: number } } | { code: "closed" } ? true : false,
] = [true, true, true, true, true, true, true];

const notes: string[] = [];
const impl = () => Bank.implement({
  async Charge(input, ctx) {
    ctx.transaction((tx) => tx.kv.set(input.account, input.amount));
    if (input.amount > 100) return err("no_funds", { short: input.amount - 100 });
    if (input.account === "shut") ctx.fail("closed");
    if (input.account === "odd") return { id: 7 as unknown as string };
    if (input.account === "late") {
      void Promise.reject(new Error("nobody awaits this"));
      await new Promise((resolve) => setTimeout(resolve, 60_000, undefined).unref());
    }
    if (input.account === "after") setImmediate(() => void Promise.reject(new Error("too late")));
    if (input.account === "undeclared") (ctx.fail as (code: string) => never)("made_up");
    return { id: ctx.requestId };
  },
  Note: (input) => void notes.push(input.text),
  Echo: (input) => input,
  Day: (input) => {
    assert.ok(input instanceof Date);
    return input.toISOString();
  },
  async Count(_, ctx) {
    const { value, version } = await ctx.kv.read("n");
    ctx.transaction((tx) => {
      tx.kv.check("n", version);
      tx.tell(Bank.routes.Note, { text: "counted" }, { to: "self" });
    });
    return Number(value ?? 0) + 1;
  },
  Own: (input) => input * 2,
});

test("a route's key is the name of its service and its method", () => {
  assert.equal(Bank.routes.Charge.key, "bank.Bank.Charge");
  assert.equal(types.length, 7);
});

test("values are encoded once, checked at the callee, and come typed to the caller", async () => {
  await using own = await loopback(impl());
  const talk = createTalk(own.speaker);
  assert.deepEqual(await talk.call(Bank.routes.Charge, { account: "a", amount: 3 }, { to: "self", requestId: "q" }), { id: "q" });
  assert.deepEqual(await talk.call(Bank.routes.Echo, new Uint8Array([1, 0]), { to: "self" }), new Uint8Array([1, 0]));
  assert.ok((await talk.call(Bank.routes.Day, "2026-01-02", { to: "self" })) instanceof Date);
  assert.equal(await talk.call(Bank.routes.Own, 21, { to: "self" }), 42);
  assert.deepEqual(own.writes, [{ write: "set", space: "kv", key: "a", value: "3" }]);
});

test("input that does not decode is decode_failure, input against its schema invalid_argument with its issues", async () => {
  await using own = await loopback(impl());
  const talk = createTalk(own.speaker);
  await assert.rejects(talk.callRaw("bank.Bank.Charge", new TextEncoder().encode("{"), { to: "self" }), { code: "node.decode_failure" });
  await assert.rejects(talk.call(Bank.routes.Charge, { account: "a" } as never, { to: "self" }),
    { code: "node.invalid_argument", facts: { issues: ["amount: expected a number"] } });
  await assert.rejects(talk.call(Bank.routes.Charge, { account: 1n } as never, { to: "self" }), { code: "node.invalid_argument" });
});

test("output against its schema is internal", async () => {
  await using own = await loopback(impl());
  await assert.rejects(createTalk(own.speaker).call(Bank.routes.Charge, { account: "odd", amount: 1 }, { to: "self" }),
    { code: "node.internal" });
});

test("a business error is typed: returned it keeps the transaction, thrown it discards it, undeclared it is internal", async () => {
  await using own = await loopback(impl());
  const talk = createTalk(own.speaker);
  const result = await talk.callResult(Bank.routes.Charge, { account: "a", amount: 103 }, { to: "self" });
  assert.deepEqual(result, { ok: false, error: { code: "no_funds", details: { short: 3 } } });
  assert.equal(own.outcomes.at(-1)?.is === "rejected" && own.outcomes.at(-1), own.outcomes.at(-1));
  assert.equal((own.outcomes.at(-1) as { keeps_writes: boolean }).keeps_writes, true);
  await assert.rejects(talk.call(Bank.routes.Charge, { account: "shut", amount: 1 }, { to: "self" }),
    (error: { code: string; facts: { error: { code: string } } }) => error.code === "node.business" && error.facts.error.code === "closed");
  assert.equal((own.outcomes.at(-1) as { keeps_writes: boolean }).keeps_writes, false);
  await assert.rejects(talk.callResult(Bank.routes.Charge, { account: "undeclared", amount: 1 }, { to: "self" }), { code: "node.internal" });
});

test("a rejection nobody awaited fails that message, not the process; one that comes later is an error event", async () => {
  // The test runner listens too, and would take it for a failure of its own.
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  await using own = await loopback(impl());
  const talk = createTalk(own.speaker);
  await assert.rejects(talk.call(Bank.routes.Charge, { account: "late", amount: 1 }, { to: "self" }), /nobody awaits this/);
  await talk.call(Bank.routes.Charge, { account: "after", amount: 3 }, { to: "self" });
  await until(() => own.failures.length === 1);
  assert.deepEqual(own.failures, [{ code: "node.internal", context: "handler of bank.Bank.Charge" }]);
  for (const other of others) process.on("unhandledRejection", other);
  assert.deepEqual(await talk.call(Bank.routes.Charge, { account: "a", amount: 3 }, { to: "self", requestId: "q" }), { id: "q" });
});

test("a told route cannot be called", async () => {
  await using own = await loopback(impl());
  const talk = createTalk(own.speaker);
  await talk.tell(Bank.routes.Note, { text: "hello" }, { to: "self" });
  assert.deepEqual(notes, ["hello"]);
  await assert.rejects(talk.callRaw("bank.Bank.Note", new Uint8Array(), { to: "self" }), { code: "node.unknown_route" });
});

test("a transaction records documents, checks and tells as data", async () => {
  await using own = await loopback(impl());
  own.documents.set("kv/n", { value: "4", version: 9 });
  assert.equal(await createTalk(own.speaker).call(Bank.routes.Count, undefined, { to: "self" }), 5);
  const [check, tell] = own.writes;
  assert.deepEqual(check, { write: "check", space: "kv", key: "n", version: 9 });
  assert.ok(tell?.write === "tell" && tell.route === "bank.Bank.Note" && tell.to === "self");
});

test("the policy and the key of a route are the node's to read", () => {
  const workload = impl();
  const payload = new TextEncoder().encode('{"account":"a","amount":1}');
  assert.equal(workload.route("bank.Bank.Charge", "call")?.key?.(payload, { kind: "local" }), "a");
  assert.deepEqual(workload.route("bank.Bank.Note", "tell")?.policy, { attempts: 3 });
  assert.equal(workload.route("bank.Bank.None", "call"), undefined);
});

const WRONG: readonly [string, () => unknown][] = [
  ["a type that is none", () => service({ type: "bank", name: "bank.Bank", routes: {} })],
  ["a name without a package", () => service({ type: "acme:bank:1.0.0", name: "Bank", routes: { A: route() } })],
  ["a told route with an output", () => route({ tell: true, output: bytes })],
  ["a route without a function", () => Bank.implement({} as never)],
];
for (const [what, make] of WRONG) {
  test(`a service refuses ${what}`, () => assert.throws(make, { code: "node.invalid_argument" }));
}
