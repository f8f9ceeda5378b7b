/** How a mob starts: where its state lies, who has it, and a definition that has lost more members than may go unasked. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defineMob, type LinkedFactory } from "@atoll-run/atoll/mob";
import { isFault, type LogEvent } from "@atoll-run/core";
import { startRooms } from "./rooms.ts";

const linked: Readonly<Record<string, LinkedFactory>> = { echo: () => ({ content }) => content };
const crowd = (count: number) => defineMob({ mob: { id: "crowd", members: [{ id: "m", profile: "p", count }] }, profiles: { p: { linked: "echo" } } });

test("a mob without a place for its state, or with code that nobody links, is refused, as is a folder that is in use, by the name of its holder", async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), "atoll-start-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  await assert.rejects(startRooms({ definition: crowd(1), linked }), { code: "mob.invalid_params" });
  await assert.rejects(startRooms({ definition: crowd(1), linked, stateDir, ephemeral: true }), { code: "mob.invalid_params" });
  await assert.rejects(startRooms({ definition: crowd(1), stateDir }), { code: "mob.definition_invalid", message: "profiles.p.linked: nothing is linked as echo" });
  await using mob = await startRooms({ definition: crowd(1), linked, stateDir });
  const held: unknown = await startRooms({ definition: crowd(1), linked, stateDir }).catch((error: unknown) => error);
  assert.ok(isFault(held) && held.code === "mob.already_running" && mob.definition().mob.id === "crowd", String(held));
  assert.match(held.message, new RegExp(`the mob crowd runs already: .*process ${process.pid}`));
});

test("a start retires no more members than a pass may; it runs with them, says so, and goes on when it is forced", async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), "atoll-start-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  await (await startRooms({ definition: crowd(20), linked, stateDir })).close();
  const said: LogEvent[] = [];
  await using mob = await startRooms({ definition: crowd(2), linked, stateDir, env: { log: { write: (event) => void said.push(event) } } });
  assert.equal(mob.status().members.filter(({ final }) => !final).length, 20);
  assert.match(said.find(({ level }) => level === "warn")?.msg ?? "", /the members stay as they were: the pass would retire 18 members/);
  const { entries } = await mob.ledger.query({ after: 0, kinds: ["reconcile_incomplete"] });
  assert.deepEqual(entries.map(({ data }) => (data["error"] as { code: string }).code), ["mob.retire_guard"]);
  assert.equal((await mob.reconciler.reconcile({ principal: "local", force: true })).members.retired.length, 18);
});
