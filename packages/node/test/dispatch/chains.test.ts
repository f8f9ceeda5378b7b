/** Messages that follow from one another (spec: node 4.12; acceptance 10 and 11). */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallReply, DispatchContext, LogEvent, Outcome, Speaker } from "@atoll-run/core";
import type { CallScope } from "../../src/gate/outbound.ts";
import { answerOf, done, end, openInbox, peer, type Made } from "./support.ts";

/** A speaker whose calls come back to the same inbox in the chain of their caller; over a legacy peer with the trace only. */
function backTo(made: () => Made, legacy = false): (scope: CallScope) => Speaker {
  return (scope) => ({
    call: async ({ route, requestId = "x" }): Promise<CallReply> => {
      using _ = scope.awaiting?.();
      const answer = await answerOf(made().call(requestId, { route, from: peer(9), envelope: {
        ...scope.chain_id === undefined || legacy ? {} : { chain_id: scope.chain_id }, depth: scope.depth + 1,
        ...scope.traceparent === undefined ? {} : { traceparent: scope.traceparent },
      } }));
      return { payload: new TextEncoder().encode(answer) };
    },
    tell: () => Promise.reject(new Error("no")), discover: async () => [], openStream: () => Promise.reject(new Error("no")),
  });
}

async function call(context: DispatchContext, requestId: string, route: string): Promise<string> {
  const { payload } = await context.call({ to: "b", route, payload: new Uint8Array(0), requestId });
  return new TextDecoder().decode(payload);
}

test("A calls B calls A on one key and completes; a stranger on that key runs after it", async () => {
  const log: string[] = [];
  const made: Made = await openInbox({
    outer: { key: () => "k", run: async ({ id }, context): Promise<Outcome> => {
      log.push(`+${id}`);
      void made.call("stranger", { route: "inner", from: peer(2) });
      const answer = await call(context, "nested", "inner");
      log.push(`-${id}`);
      return done(answer);
    } },
    inner: { key: () => "k", run: ({ id }) => {
      log.push(id);
      return done("inner");
    } },
  }, { concurrency: 1, parts: { speaker: backTo(() => made) } });
  assert.equal(await answerOf(made.call("a", { route: "outer" })), "inner");
  await made.clock.pass(0);
  await made.clock.pass(0);
  assert.deepEqual(log, ["+a", "nested", "-a", "stranger"]);
  await end(made);
});

test("a chain that came back over a legacy peer is known by its trace, another chain of the trace waits", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const log: string[] = [];
  const made: Made = await openInbox({ note: { key: () => "k", run: async ({ id }, context): Promise<Outcome> => {
    log.push(`+${id}`);
    if (id === "a") {
      void made.call("other", { from: peer(2), envelope: { traceparent, chain_id: new Uint8Array(16).fill(2) } });
      await call(context, "nested", "note");
    }
    log.push(`-${id}`);
    return done();
  } } }, { parts: { speaker: backTo(() => made, true) } });
  await answerOf(made.call("a", { envelope: { traceparent, chain_id: new Uint8Array(16).fill(1) } }));
  await made.clock.pass(0);
  await made.clock.pass(0);
  assert.deepEqual(log, ["+a", "+nested", "-nested", "-a", "+other", "-other"]);
  await end(made);
});

test("a key that is held for ten seconds across a call, while others wait for it, is logged", async () => {
  const logged: LogEvent[] = [];
  let finish = (): void => undefined;
  const made: Made = await openInbox({
    outer: { key: () => "k", run: async (_, context): Promise<Outcome> => done(await call(context, "slow", "slow")) },
    slow: () => new Promise((resolve) => finish = () => resolve(done("at last"))),
  }, { parts: { speaker: backTo(() => made), log: { write: (event) => logged.push(event) } } });
  const outer = made.call("a", { route: "outer" });
  void made.call("b", { route: "outer" });
  await made.clock.pass(9_999);
  assert.deepEqual(logged, []);
  await made.clock.pass(1);
  assert.deepEqual(logged.map(({ msg }) => msg), ["possible_deadlock"]);
  finish();
  assert.equal(await answerOf(outer), "at last");
  await made.clock.pass(0);
  finish();
  await end(made);
});

test("a slow handler keeps no other key from running", async () => {
  const made = await openInbox({ note: { key: (payload) => new TextDecoder().decode(payload), run: ({ payload }) =>
    payload[0] === 120 ? new Promise(() => undefined) : done("yes") } });
  const slow = answerOf(made.call("slow", { payload: "x", timeoutMs: 20_000 }));
  const others = await Promise.all(Array.from({ length: 50 }, (_, i) => answerOf(made.call(`c${i}`, { payload: `k${i}` }))));
  assert.ok(others.every((answer) => answer === "yes"));
  await made.clock.pass(20_000);
  assert.equal(await slow, "error 10002");
  await end(made);
});
