/**
 * Goal: a grant that a member has not is refused wherever its code asks for it. Invariant: one fault, nothing done, and the ledger says so.
 * Method: a table of grants by kinds of code: Lua, a TypeScript script, linked code, and a tool that a model calls in an agent loop.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defineMob, type LinkedFactory } from "@atoll-run/atoll/mob";
import { startMockModel } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const WAYS = { lua: "lua", ts: "ts", linked: "linked", agent: "lua" } as const;

let acted = 0;
const reach: LinkedFactory = () => async ({ content }, ctx) => {
  const { grant, at } = content as { grant: string; at: string };
  await ctx.guarded({ grant, object: at, args: { at } }, () => ++acted);
};

test("what a member is not granted is refused in Lua, TypeScript, linked code and an agent loop alike, and the ledger says so", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-grants-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "elsewhere");
  const REFUSED = [["fs.write", path], ["net", "127.0.0.1:9"], ["run", "touch"]] as const;
  const model = await startMockModel({ script: { turns: REFUSED.flatMap(() => [
    { reply: { tool_calls: [{ name: "act", input: {} }] } }, { reply: { text: "I may not." } },
  ]) } });
  t.after(() => model.close());
  const grants = [`fs.write:${join(dir, "out")}`, "net:example.com", "run:true"];
  const definition = defineMob({
    mob: { id: "grants", members: [{ id: "lua", profile: "lua" }, { id: "ts", profile: "ts" }, { id: "linked", profile: "linked" }] },
    profiles: {
      lua: { script: "reach.lua", grants: [...grants, "model"] }, ts: { script: "reach.ts", grants }, linked: { linked: "reach", grants },
    },
  });
  await using mob = await startRooms({
    definition, stateDir: join(dir, "state"), root: join(import.meta.dirname, "scripts"), linked: { reach },
    variables: { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: model.url },
  });
  for (const [grant, at] of REFUSED) {
    const texts = new Set<string | undefined>();
    for (const [way, to] of Object.entries(WAYS)) {
      const { turn_id } = await mob.send({ to, from: "console", principal: "local", content: { grant, at, by_agent: way === "agent" } });
      const turn = await mob.members.wait(turn_id, {});
      assert.deepEqual([way, grant, turn.state, turn.error?.code], [way, grant, "failed", "grant.denied"], turn.error?.text);
      texts.add(turn.error?.text);
      await mob.ledger.flush();
      const { entries } = await mob.ledger.query({ turn_id, kinds: ["grant_denied"], after: 0 });
      assert.deepEqual(entries.map(({ member, generation }) => [member, generation]), [[to, 1]], `${way} ${grant}`);
      assert.match(String(entries[0]?.data["grant"]), new RegExp(`^${grant}:`));
    }
    assert.equal(texts.size, 1, [...texts].join(" | "));
  }
  const told = model.requests.filter((one) => JSON.stringify(one).includes("tool_result")).length;
  assert.deepEqual([existsSync(path), acted, told], [false, 0, REFUSED.length], "the model has read why, and nothing was done");
});
