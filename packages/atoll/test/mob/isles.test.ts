/** A member that runs for ever or eats all memory ends its own isle, and nobody else's (spec: mob 12). */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defineMob, Mob } from "@atoll-run/atoll/mob";
import { memberScope } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";

const SCRIPT = `local eaten = {}
bus.on("turn", function(e)
  if e.payload == "loop" then while true do end end
  if e.payload == "eat" then for i = 1, 1e9 do eaten[i] = string.rep("x", 100000) .. i end end
  return e.payload
end)
bus.serve()
`;

test("a member that loops without end, or has no memory left, takes no other along, and works again afterwards", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "atoll-isles-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(join(root, "m.lua"), SCRIPT);
  // More than there are threads: some share one with it.
  const definition = defineMob({ mob: { id: "isles", members: [{ id: "m", profile: "p", count: 6 }] }, profiles: { p: { script: "m.lua" } } });
  await using mob = await Mob.start({ definition, ephemeral: true, root });
  const send = async (to: string, content: string, deadline_ms = 60_000) => (await mob.dispatch(to, content, { deadline_ms, conversation: content })).tickets[0]?.turn_id ?? "";
  const ends = async (to: string, content: string, deadline_ms?: number) => await mob.turns.wait(await send(to, content, deadline_ms), { timeout_ms: 60_000 });
  for (let n = 1; n <= 6; n++) await ends(`m-${n}`, "warm");
  const { store } = mob.rooms.ledger;
  const crashes = async (turn: string) => (await store.rows(memberScope("m-1"), { after: 0, limit: 9 })).find(({ request_id }) => request_id === turn)?.crashes ?? 0;
  for (const [bad, wanted] of [["loop", "expired"], ["eat", "cancelled"]] as const) {
    const turn = await send("m-1", bad, bad === "loop" ? 2_000 : undefined);
    await until(() => mob.rooms.view.turns.get(turn)?.state !== "queued");
    const others = await Promise.all([2, 3, 4, 5, 6].map((n) => ends(`m-${n}`, "fine")));
    assert.deepEqual(others.map(({ state, attempt, output }) => [state, attempt, output]), others.map(() => ["done", 1, "fine"]), bad);
    if (bad === "eat") {
      // It crashes its member again and again; others of the member come before it.
      await until(async () => await crashes(turn) === 2, { withinMs: 60_000 });
      assert.equal((await ends("m-1", "between")).output, "between");
      assert.equal(mob.rooms.view.turns.get(turn)?.ended_at_ms, null, "it is judged by how often it was there when its member crashed");
      await mob.turns.cancel(turn);
    }
    assert.equal((await mob.turns.wait(turn, { timeout_ms: 60_000 })).state, wanted);
    assert.equal((await ends("m-1", "again")).output, "again", bad);
  }
  const { entries } = await mob.rooms.ledger.query({ after: 0, kinds: ["member_started"] });
  assert.ok(entries.filter(({ member }) => member === "m-1").length > 1, "its isle was made anew");
  assert.equal(entries.filter(({ member }) => member !== "m-1").length, 5, "the others kept theirs");
});
