/** The way of one message: admission, commit, run, completion, answer (spec: node 4). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf, done, openInbox, SCOPE } from "./support.ts";

test("a call is answered with what its handler gave, and its duplicate with the same, without a second run", async () => {
  let runs = 0;
  const { call, inbox, store } = await openInbox({ echo: ({ payload }) => {
    runs += 1;
    return done(new TextDecoder().decode(payload));
  } });
  assert.equal(await answerOf(call("a", { route: "echo", payload: "hi" })), "hi");
  const again = await call("a", { route: "echo", payload: "hi" });
  assert.equal(again.is, "duplicate");
  assert.equal(await answerOf(again), "hi");
  assert.equal(runs, 1);
  assert.equal((await store.rows(SCOPE, { after: 0, limit: 10 })).length, 0);
  await inbox.drain({ deadlineMs: 1_000 });
  await inbox.close();
});

test("a tell is accepted only when its row is committed", async () => {
  let finish = (): void => undefined;
  const { tell, inbox, store } = await openInbox({ note: () => new Promise((resolve) => finish = () => resolve(done())) });
  const verdict = await tell("a");
  assert.equal(verdict.is, "accepted");
  assert.deepEqual((await store.rows(SCOPE, { after: 0, limit: 10 })).map(({ request_id, leased }) => ({ request_id, leased })),
    [{ request_id: "a", leased: true }]);
  finish();
  assert.equal(await answerOf(verdict), "");
  assert.equal(inbox.depth, 0);
  await inbox.drain({ deadlineMs: 1_000 });
  await inbox.close();
});
