/**
 * Goal: a mob as a whole is stopped, resumed, completed, reset and destroyed (spec: mob 2.5). Invariant: the ledger tells its state, so that a
 * restart finds it as it was; no answer waits for a member; an accepted turn ends, or waits for the mob.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { defineMob, Mob, type LinkedFactory, type MobConfig, type MobHandle } from "@atoll-run/atoll/mob";
import { isFault } from "@atoll-run/core";
import { MOB_COMMANDS, type MobCommand, type MobState } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";

const definition = defineMob({
  mob: { id: "whole", members: [{ id: "w", profile: "p", count: 3 }], edges: [["w-1", "w-2"]] }, profiles: { p: { linked: "worker" } },
  flows: { f: { steps: { all: { member: "w-3", message: "go", dispatch: "one_to_one" } } } },
});
/** Turns end when they are let go of; `endless` hears no signal. */
let gate = Promise.withResolvers<void>();
const worker: LinkedFactory = () => async ({ content }) => {
  if (content === "endless") await new Promise<never>(() => undefined);
  await gate.promise;
  return content;
};

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-life-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  gate = Promise.withResolvers();
  return dir;
}

const open = (stateDir: string, config: Partial<MobConfig> = {}): Promise<MobHandle> =>
  Mob.start({ definition, linked: { worker }, stateDir, drainTimeoutMs: 300, ...config });
const send = async (mob: MobHandle, to: string, content: string): Promise<string> => (await mob.dispatch(to, content, {})).tickets[0]?.turn_id ?? "";
const state = async (mob: MobHandle): Promise<MobState> => (await mob.status()).state;
const reaches = (mob: MobHandle, wanted: MobState): Promise<unknown> => until(async () => await state(mob) === wanted, { withinMs: 30_000 });
const members = (mob: MobHandle) => mob.rooms.status().members;
const code = async (work: Promise<unknown>): Promise<string> => work.then(() => "done", (error: unknown) => isFault(error) ? error.code : String(error));
const working = (mob: MobHandle, turn: string): Promise<unknown> => until(() => mob.rooms.view.turns.get(turn)?.state === "running");

test("a mob that is stopped keeps roster and mail and runs nothing, also after a restart; resumed, it goes on where it was", async (t) => {
  const dir = folder(t);
  const mob = await open(dir);
  const endless = await send(mob, "w-1", "endless");
  const running = await send(mob, "w-2", "soon");
  await Promise.all([working(mob, endless), working(mob, running)]);
  const { run_id } = await mob.flows.run({ flow: "f" });
  assert.equal((await mob.lifecycle.stop()).state, "stopping", "it does not wait for the one that never ends");
  assert.equal(await code(send(mob, "w-3", "x")), "mob.unavailable");
  assert.equal(await code(mob.reconcile({})), "mob.unavailable");
  assert.equal(await code(mob.members.spawn({ spec: { id: "n", profile: "p" } })), "mob.unavailable");
  assert.equal(await code(mob.flows.run({ flow: "f" })), "mob.unavailable");
  assert.equal(await code(mob.lifecycle.resume()), "mob.conflict", "not before it has stopped");
  gate.resolve();
  await reaches(mob, "stopped");
  assert.deepEqual(members(mob).map(({ state: of }) => of), ["dormant", "dormant", "dormant"]);
  assert.equal(mob.rooms.view.turns.get(running)?.state, "done", "what ran had its time");
  assert.equal((await mob.lifecycle.stop()).state, "stopped", "once more is the same");
  assert.equal((await mob.reconcile({ dry_run: true })).complete, true, "it can be looked at");
  await mob.close();

  const again = await open(dir);
  assert.deepEqual([await state(again), members(again).map(({ id, state: of }) => [id, of])], ["stopped", [["w-1", "dormant"], ["w-2", "dormant"], ["w-3", "dormant"]]]);
  assert.equal(await code(send(again, "w-3", "x")), "mob.unavailable");
  assert.equal(again.rooms.view.turns.get(endless)?.ended_at_ms, null, "its mail is there");
  assert.equal((await again.lifecycle.resume()).state, "running");
  await until(() => again.rooms.view.turns.get(endless)?.attempt === 2);
  assert.equal((await again.runs.wait({ run_id, timeout_ms: 30_000 })).state, "completed", "runs go on");
  const own = await send(again, "w-3", "new");
  assert.equal((await again.turns.wait(own)).state, "done");
  await again.close();
});

test("a mob that is reset begins anew: turns and runs are over, its members come back with new sessions, those that were asked for do not", async (t) => {
  const dir = folder(t);
  await using mob = await open(dir);
  await mob.reconcile({ desired: [{ id: "extra", profile: "p" }] });
  const [running, queued] = [await send(mob, "w-1", "endless"), await send(mob, "w-1", "waits")];
  await working(mob, running);
  const { run_id } = await mob.flows.run({ flow: "f" });
  const before = members(mob).find(({ id }) => id === "w-1")?.session.id;
  assert.equal(await code(mob.lifecycle.reset({ confirm: "other" })), "mob.invalid_params");
  assert.equal((await mob.lifecycle.reset({ confirm: "whole" })).state, "creating");
  await reaches(mob, "running");
  await until(() => members(mob).filter(({ final }) => !final).length === 3);
  assert.deepEqual([running, queued].map((turn) => mob.rooms.view.turns.get(turn)?.state), ["dead", "dead"]);
  assert.equal((await mob.runs.get({ run_id })).state, "canceled");
  assert.deepEqual(members(mob).map(({ id, generation, final }) => [id, generation, final]), [["extra", 1, true], ["w-1", 2, false], ["w-2", 2, false], ["w-3", 2, false]]);
  gate.resolve();
  assert.equal((await mob.turns.wait(await send(mob, "w-1", "new"))).state, "done");
  assert.notEqual(members(mob).find(({ id }) => id === "w-1")?.session.id, before);
  await until(() => mob.rooms.view.isWired("w-1", "w-2"));
});

test("a mob that died while it was reset goes on with it at the next start", async (t) => {
  const dir = folder(t);
  gate.resolve();
  const first = await open(dir);
  await first.turns.wait(await send(first, "w-1", "x"));
  await first.rooms.ledger.append(first.rooms.writer, [{ kind: "mob_reset", source: "mob", data: { state: "creating" } }]);
  await first.close();
  await using mob = await open(dir);
  await reaches(mob, "running");
  await until(() => members(mob).every(({ final, generation }) => !final && generation === 2));
});

test("a mob that is complete has retired its members and takes nothing more, for good; a store that is destroyed is gone, what else lay there is not", async (t) => {
  const dir = folder(t);
  gate.resolve();
  const mob = await open(dir, { http: { port: 0 } });
  const done = await send(mob, "w-1", "x");
  assert.equal((await mob.lifecycle.complete()).state, "completed");
  await until(() => members(mob).every(({ final }) => final));
  assert.equal((await mob.turns.wait(done)).state, "done", "what was accepted was worked off");
  assert.equal(await code(send(mob, "w-1", "y")), "mob.conflict");
  assert.equal(await code(mob.lifecycle.resume()), "mob.conflict");
  await mob.close();
  const again = await open(dir, { http: { port: 0 } });
  assert.deepEqual([await state(again), members(again).every(({ final }) => final), await code(again.reconcile({}))], ["completed", true, "mob.conflict"]);

  writeFileSync(join(dir, "notes.txt"), "mine");
  assert.equal(await code(again.lifecycle.destroy({ confirm: "" })), "mob.invalid_params");
  assert.equal((await again.lifecycle.destroy({ confirm: "whole" })).state, "destroyed");
  const { phases, leases_released } = await again.rooms.ended;
  assert.deepEqual([phases.flatMap(({ left }) => left), leases_released, readdirSync(dir)], [[], true, ["notes.txt"]]);
  await using fresh = await open(dir);
  assert.deepEqual([await state(fresh), members(fresh).map(({ generation }) => generation)], ["running", [1, 1, 1]]);
  assert.ok(existsSync(join(dir, "state.sqlite")));
});

test("every command in every state is done, or refused as a conflict, as the table of a mob's life says", async (t) => {
  const dir = folder(t);
  const states: readonly MobState[] = ["creating", "running", "stopping", "stopped", "completed", "destroyed"];
  await using mob = await open(dir, { definition: defineMob({ mob: { id: "whole", members: [] }, profiles: {} }) });
  const { ledger, writer, view, life } = mob.rooms;
  // Only those that are refused: the others are seen above.
  for (const at of states) {
    await ledger.append(writer, [{ kind: "mob_stopped", source: "mob", data: { state: at } }]);
    assert.equal(view.mob.state, at);
    for (const [command, { from, to }] of Object.entries(MOB_COMMANDS)) {
      const allowed = (from as readonly MobState[]).includes(at);
      const same = at === to || command === "stop" && at === "stopped";
      if (!allowed) assert.equal(await code(life.command(command as MobCommand, { principal: "local" })), same ? "done" : "mob.conflict", `${command} of ${at}`);
      assert.equal(view.mob.state, at);
    }
  }
  await ledger.append(writer, [{ kind: "mob_started", source: "mob", data: { state: "running" } }]);
});

/** Behind the first entry of that kind each process kills itself, before anything that is to follow; one more is left to finish. */
const KILLS = { reset: ["member_retiring", "member_retired"], complete: ["member_retired"] } as const;

for (const [command, kills] of Object.entries(KILLS)) {
  test(`a ${command} that is killed in the middle, again and again, is finished by the starts that follow, and every turn ends once`, async (t) => {
    const dir = folder(t);
    const run = async (...last: readonly string[]): Promise<Record<string, unknown>> => {
      const child = spawn(process.execPath, [join(import.meta.dirname, "life-child.ts"), dir, command, ...last], { stdio: ["ignore", "pipe", "inherit"] });
      t.after(() => child.kill("SIGKILL"));
      const lines: string[] = [];
      for await (const line of createInterface(child.stdout)) lines.push(line);
      return JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown>;
    };
    for (const kind of kills) assert.deepEqual(await run(kind), { killed: kind });
    const { ended, ...last } = await run();
    assert.deepEqual([...new Set(ended as number[])], [1]);
    const again = command === "reset" ? "dormant 2 0" : "retired 1 0";
    assert.deepEqual(last, {
      members: [`extra retired 1 0`, ...["w-1", "w-2", "w-3"].map((id) => `${id} ${again}`)], edges: command === "reset" ? 1 : 0, runs: ["canceled"], findings: [],
    });
  });
}
