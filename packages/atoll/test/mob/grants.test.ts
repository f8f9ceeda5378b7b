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
import type { Json, StateStore } from "@atoll-run/core";
import { memoryState, startMockModel } from "@atoll-run/testkit";
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

test("code hears of a refusal when the ledger has it, not before: a script and linked code alike", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-denied-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const inner = memoryState();
  /** A commit with a refusal waits. */
  let held = Promise.withResolvers<void>();
  let go = Promise.withResolvers<void>();
  const store: StateStore = { ...inner, commit: async (batch, call) => {
    if (batch.ops.some((op) => op.op === "append" && JSON.stringify(op.body).includes("grant_denied"))) {
      held.resolve();
      await go.promise;
    }
    return await inner.commit(batch, call);
  } };
  const definition = defineMob({
    mob: { id: "grants", members: [{ id: "lua", profile: "lua" }, { id: "linked", profile: "linked" }, { id: "other", profile: "other" }] },
    profiles: { lua: { script: "reach.lua", grants: ["net:example.com"] }, linked: { linked: "reach", grants: ["net:example.com"] }, other: { linked: "other" } },
  });
  await using mob = await startRooms({
    definition, ephemeral: true, env: { store }, root: join(import.meta.dirname, "scripts"), linked: { reach, other: () => () => "done" },
  });
  const send = async (to: string, content: Json): Promise<string> => (await mob.send({ to, from: "console", principal: "local", content })).turn_id;
  for (const to of ["lua", "linked"]) {
    [held, go] = [Promise.withResolvers(), Promise.withResolvers()];
    const turn = await send(to, { grant: "fs.write", at: join(dir, "x"), by_agent: false });
    await held.promise;
    // All that could have been written meanwhile is.
    for (let n = 0; n < 5; n++) await mob.members.wait(await send("other", n), {});
    assert.equal(mob.view.turns.get(turn)?.state, "running", to);
    go.resolve();
    assert.equal((await mob.members.wait(turn, {})).error?.code, "grant.denied");
    const { entries } = await mob.ledger.query({ turn_id: turn, after: 0 });
    assert.deepEqual(entries.map(({ kind }) => kind).filter((kind) => kind === "grant_denied" || kind === "turn_failed"), ["grant_denied", "turn_failed"]);
  }
});
