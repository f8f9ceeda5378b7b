// Node 3.1: every step of the start may fail. Goal: all that was done is undone. Invariant: nothing stays registered,
// bound, leased or running, and the error says which step failed, how the undoing went, and what caused it. Method: a
// watch fails before and after each step; parts of its own fail in the middle; the next start on the same store works.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeError, type Fault } from "@atoll-run/core";
import { createNode, json, route, service, type Network, type Node, type NodeParts, type Rollback, type StepName } from "@atoll-run/node";
import { memoryState } from "@atoll-run/testkit";
import { ALLOW_ALL, leasedRows, partsOf, settingsOf, testNet, type TestNet } from "../support/node-parts.ts";

const Echo = service({
  type: "acme:echo:1.0.0", name: "acme.Echo", routes: { Say: route({ input: json<string>(), output: json<string>() }) },
});

interface Life {
  started: number;
  stopped: number;
  closed: number;
}

function echo(life: Life, o: { readonly failStart?: boolean } = {}) {
  const impl = Echo.implement({ Say: (input) => input }, { hooks: {
    onStart: () => {
      if (o.failStart === true) throw nodeError("node.dependency_not_found", "no database");
      life.started++;
    },
    onStop: () => void life.stopped++,
  } });
  return { ...impl, close: async (given: { signal: AbortSignal }) => {
    life.closed++;
    await impl.close(given);
  } };
}

interface Failed {
  readonly fault: Fault & { readonly facts: { readonly step: number; readonly step_name: string; readonly rollback: Rollback } };
  readonly life: Life;
}

async function failedStart(parts: NodeParts, o: { readonly failStart?: boolean } = {}): Promise<Failed> {
  const life: Life = { started: 0, stopped: 0, closed: 0 };
  const node = createNode(parts, settingsOf("echo", { rules: ALLOW_ALL })).link(echo(life, o));
  const fault = await node.start().then(() => assert.fail("it has started"), (error: Failed["fault"]) => error);
  assert.equal(node.state, "closed");
  return { fault, life };
}

/** Nothing is left; and the same store takes the next start. */
async function assertUndone({ fault, life }: Failed, own: TestNet, parts: NodeParts): Promise<void> {
  const { rollback } = fault.facts;
  assert.deepEqual([rollback.unfinished, rollback.failed], [[], []]);
  assert.deepEqual(own.open, [], "nothing stays registered or bound");
  assert.equal(own.net.links, 0);
  assert.equal(life.stopped, life.started, "onStop comes once if onStart had finished");
  assert.equal(await leasedRows(parts.store, "echo"), 0);
  const { watch: _, ...again } = parts;
  await using node = await createNode({ ...again, network: own.network() }, settingsOf("echo", { rules: ALLOW_ALL })).link(echo(life)).start();
  assert.equal(await node.call(Echo.routes.Say, "again", { to: "self" }), "again");
}

const NAMES = [
  "store", "recovery", "workload", "rooms", "listeners", "description", "registration", "session", "signaling", "peers",
  "on_start", "intake", "heartbeat", "ready",
];
for (const [index, name] of NAMES.entries()) {
  for (const side of ["enter", "leave"] as const) {
    test(`a start that fails ${side === "enter" ? "before" : "after"} step ${index + 1} (${name}) has undone all before it`, async () => {
      const own = testNet();
      const watch = { [side]: (at: StepName) => {
        if (at.name === name) throw nodeError("node.unavailable", "made to fail");
      } };
      const parts = partsOf({ store: memoryState(), network: own.network(), watch });
      const failed = await failedStart(parts);
      const { code, facts } = failed.fault;
      assert.deepEqual([code, facts.step, facts.step_name], ["node.unavailable", index + 1, name]);
      await assertUndone(failed, own, parts);
    });
  }
}

const PARTS: readonly (readonly [keyof Network, number])[] = [
  ["load", 2], ["listen", 5], ["register", 7], ["connect", 9], ["arm", 10], ["open", 12], ["beat", 13],
];
for (const [failAt, step] of PARTS) {
  test(`a network that fails to ${failAt} fails step ${step}, and what it had begun is undone`, async () => {
    const own = testNet();
    const parts = partsOf({ store: memoryState(), network: own.network({ failAt }) });
    const failed = await failedStart(parts);
    assert.deepEqual([failed.fault.code, failed.fault.facts.step], ["node.internal", step]);
    await assertUndone(failed, own, parts);
  });
}

test("an onStart that fails aborts the start with its own error, and onStop does not come", async () => {
  const own = testNet();
  const parts = partsOf({ store: memoryState(), network: own.network() });
  const failed = await failedStart(parts, { failStart: true });
  assert.deepEqual([failed.fault.code, failed.fault.facts.step], ["node.dependency_not_found", 11]);
  assert.deepEqual([failed.life.started, failed.life.stopped, failed.life.closed], [0, 0, 1]);
  await assertUndone(failed, own, parts);
});

test("a store that cannot be taken fails step 2 with its fault", async () => {
  const store = memoryState();
  await store[Symbol.asyncDispose]();
  const { fault } = await failedStart(partsOf({ store }));
  assert.deepEqual([fault.code, fault.facts.step], ["state.closed", 2]);
});

test("a start has its time, and so has its undoing: what hangs is given up and told", async () => {
  const own = testNet();
  const limits = { life: { undoStepMsMax: 500 } };
  const life: Life = { started: 0, stopped: 0, closed: 0 };
  const stuck = { ...echo(life), close: () => new Promise<void>(() => undefined) };
  const watch = { enter: ({ name }: StepName) => name === "signaling" ? new Promise<void>(() => undefined) : undefined };
  const node = createNode(partsOf({ network: own.network(), watch }), settingsOf("echo", { rules: ALLOW_ALL, limits })).link(stuck);
  await assert.rejects(node.start({ deadlineMs: 1_000 }), ({ code, facts }: Failed["fault"]) => {
    assert.deepEqual([code, facts.step, facts.rollback.unfinished, facts.rollback.failed], ["node.unavailable", 9, ["workload"], []]);
    assert.ok(facts.rollback.undone.includes("registration") && facts.rollback.undone.includes("store"), "the others are undone");
    return true;
  });
  assert.deepEqual(own.open, [], "nothing stays registered or bound");
});

test("settings that cannot be fail step 1 with each problem", async () => {
  const life: Life = { started: 0, stopped: 0, closed: 0 };
  const node = createNode(partsOf(), settingsOf("a b", { type: { manufacturer: "", name: "x", version: "1" } })).link(echo(life));
  await assert.rejects(node.start(), (error: Failed["fault"]) => {
    assert.deepEqual([error.code, error.facts.step, (error.facts as { issues?: unknown[] }).issues?.length], ["node.invalid_argument", 1, 2]);
    return true;
  });
});

test("a start that its caller aborts is undone, and says so", async () => {
  const own = testNet();
  const abort = new AbortController();
  const watch = { enter: async ({ name }: StepName) => {
    if (name !== "signaling") return;
    abort.abort(nodeError("node.cancelled", "the user went away"));
    await new Promise(() => undefined);
  } };
  const parts = partsOf({ store: memoryState(), network: own.network(), watch });
  const life: Life = { started: 0, stopped: 0, closed: 0 };
  const node = createNode(parts, settingsOf("echo")).link(echo(life));
  await assert.rejects(node.start({ signal: abort.signal }), { code: "node.cancelled" });
  assert.deepEqual([own.open, life.closed], [[], 1]);
});

test("calls out of order throw wrong_state", async () => {
  const life: Life = { started: 0, stopped: 0, closed: 0 };
  const node = createNode(partsOf(), settingsOf("echo"));
  const loose = node as unknown as { start(): Promise<unknown>; register(): Promise<unknown>; link(impl: unknown): unknown };
  await assert.rejects(loose.start(), { code: "node.wrong_state" });
  await assert.rejects(loose.register(), { code: "node.wrong_state" });
  const linked = node.link(echo(life));
  assert.throws(() => loose.link(echo(life)), { code: "node.wrong_state" });
  const handle = await linked.start();
  await assert.rejects(loose.start(), { code: "node.wrong_state" });
  await handle.close();
  assert.equal(linked.state, "closed");
  await assert.rejects(loose.start(), { code: "node.wrong_state" });
});

test("register takes the store and an identity; start goes on from there", async () => {
  const own = testNet();
  const life: Life = { started: 0, stopped: 0, closed: 0 };
  const node = await createNode(partsOf({ network: own.network() }), settingsOf("echo")).link(echo(life)).register();
  assert.deepEqual([node.state, own.open.includes("echo register"), life.started], ["registered", true, 0]);
  await using handle = await node.start();
  assert.deepEqual([life.started, handle.id], [1, own.idOf("echo")]);
});

test("a registered node that never starts is closed whole", async () => {
  const own = testNet();
  const life: Life = { started: 0, stopped: 0, closed: 0 };
  const node = await createNode(partsOf({ network: own.network() }), settingsOf("echo")).link(echo(life)).register();
  const report = await node.close();
  assert.deepEqual([report.unfinished, report.unregistered, own.open, life.closed > 0, life.stopped], [[], true, [], true, 0]);
});

// What cannot follow does not compile: `start` takes a node of these states, and no other.
type Can<S extends "configured" | "linked" | "attached" | "registered", M extends "link" | "attach" | "register" | "start"> =
  Node<S> extends ThisParameterType<Node[M]> ? true : false;
const CAN: [
  Can<"configured", "link">, Can<"configured", "attach">, Can<"linked", "register">, Can<"linked", "start">, Can<"registered", "start">,
] = [true, true, true, true, true];
const CANNOT: [
  Can<"configured", "start">, Can<"configured", "register">, Can<"linked", "link">, Can<"registered", "register">, Can<"attached", "link">,
] = [false, false, false, false, false];

test("calls out of order do not compile", () => assert.deepEqual([CAN.includes(false as never), CANNOT.includes(true as never)], [false, false]));
