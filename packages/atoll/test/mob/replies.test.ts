/** Goal: `reply = "turn"` (mob 3.9). Invariant: a result that is owed is told once, whoever dies. Method: real members, a real restart. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defineMob, type LinkedFactory } from "@atoll-run/atoll/mob";
import { nodeError } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const definition = defineMob({
  mob: { id: "m", members: [{ id: "boss", profile: "boss" }, { id: "worker", profile: "worker" }], edges: [["boss", "worker"]] },
  profiles: { boss: { linked: "boss", grants: ["mob:send"] }, worker: { linked: "worker" } },
});

test("the end of a turn that was sent with reply comes back as a turn, once, also when the process dies and nobody is wired any more", async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), "atoll-replies-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  let told: (readonly [inReplyTo: string | undefined, content: unknown, from: string])[] = [];
  let go = Promise.withResolvers<void>();
  const boss: LinkedFactory = () => async ({ content, in_reply_to, from }, { mob }) => {
    if (from === "worker") return void told.push([in_reply_to, content, from]);
    return await mob.send("worker", content, { reply: "turn" });
  };
  const worker: LinkedFactory = () => async ({ content }) => {
    if (content === "slow") await go.promise;
    if (content === "bad") throw nodeError("node.invalid_argument", "no such thing", { retry: "never" });
    return content === "large" ? "x".repeat(1_048_570) : content;
  };
  const open = () => startRooms({ definition, stateDir, linked: { boss, worker } });
  const give = async (mob: Awaited<ReturnType<typeof open>>, content: string): Promise<string> => {
    const { turn_id } = await mob.send({ to: "boss", from: "console", principal: "local", content });
    return ((await mob.members.wait(turn_id, {})).output as { turn_id: string }).turn_id;
  };
  const first = await open();
  const [good, bad, large] = [await give(first, "good"), await give(first, "bad"), await give(first, "large")];
  await until(() => told.length === 3);
  const text = `the output is too large to be sent along: see the turn ${large}`;
  assert.deepEqual(told, [
    [good, { in_reply_to: good, state: "done", output: "good" }, "worker"],
    [bad, { in_reply_to: bad, state: "failed", error: { code: "node.invalid_argument", text: "no such thing" } }, "worker"],
    [large, { in_reply_to: large, state: "done", error: { code: "mob.too_large", text } }, "worker"],
  ]);
  assert.deepEqual([good, bad, large].map((id) => first.view.turns.get(id)?.reply), [undefined, undefined, undefined], "nothing is owed any more");

  told = [];
  const slow = await give(first, "slow");
  await first.edges.unwire("boss", "worker", { principal: "local", hold: true });
  // Who is broken takes nothing: the result is owed, and this process ends.
  await first.ledger.append(first.writer, [{ kind: "member_broken", source: "mob", member: "boss", generation: 1, data: { state: "broken", kind: "crashed", detail: "often", generation: 1 } }]);
  go.resolve();
  assert.equal((await first.members.wait(slow, {})).state, "done");
  await first.close();
  assert.deepEqual([told, first.view.turns.get(slow)?.reply], [[], "turn"]);
  go = Promise.withResolvers();
  await using again = await open();
  await until(() => told.length === 1);
  assert.deepEqual(told, [[slow, { in_reply_to: slow, state: "done", output: "slow" }, "worker"]]);
  assert.equal(again.view.turns.get(slow)?.reply, undefined);
});
