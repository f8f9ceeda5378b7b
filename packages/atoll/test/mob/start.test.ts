/** How a mob starts: where its state lies, who has it, and a definition that has lost more members than may go unasked. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, Mob, type LinkedFactory, type MobConfig } from "@atoll-run/atoll/mob";
import { isFault, type Clock, type Fault, type LogEvent } from "@atoll-run/core";
import type { Entry, StartFailed } from "@atoll-run/mob";
import { until, watchHandles } from "@atoll-run/testkit";
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

const WORKER = `bus.on("turn", function(e) return e.payload end)
bus.serve()
`;

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-start-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Throws when somebody has it. */
async function assertFree(port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  server.close();
  await once(server, "close");
}

/** Time goes by ten times slower for whoever has a deadline: none is missed because the machine is busy. */
const PATIENT: Clock = {
  now: () => Date.now(), monotonic: () => performance.now() / 10,
  after: (ms, then) => {
    const timer = setTimeout(then, ms * 10);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

const STAGES = ["ledger", "lease", "recover", "members", "pre_spawn", "continuity", "reconcile", "flows", "outside", "http", "started"] as const;

test("a start that fails before or after any of its stages names it, and leaves no port, lock, file, node or thread", async (t) => {
  const [stateDir, root, port] = [folder(t), folder(t), await freePort()];
  writeFileSync(join(root, "w.lua"), WORKER);
  // They run from the start on: a script with its thread, a function with its node.
  const definition = defineMob({
    mob: { id: "stages", members: [{ id: "lua", profile: "lua" }, { id: "ts", profile: "ts" }] },
    profiles: { lua: { script: "w.lua", mode: "autonomous" }, ts: { linked: "echo", mode: "autonomous" } },
  });
  const config = { definition, stateDir, root, linked, http: { port }, env: { clock: PATIENT } };
  const handles = watchHandles();
  let awake = 0;
  const rows: (readonly [stage: string, code: string, at: string, left: readonly string[]])[] = [];
  for (const stage of STAGES) for (const side of ["enter", "leave"] as const) {
    const seen: string[] = [];
    const stages = { [side]: (at: { readonly name: string }) => {
      seen.push(at.name);
      if (at.name === stage) throw new Error("made to fail");
    } };
    const hooks = { postReconcile: () => void (awake += 1) };
    const fault: unknown = await Mob.start({ ...config, stages, hooks }).catch((error: unknown) => error);
    assert.ok(isFault(fault), `${side} ${stage}: ${String(fault)}`);
    const { stage: at, rollback } = fault.facts as unknown as StartFailed;
    assert.equal((fault.cause as Error).message, "made to fail");
    rows.push([`${side} ${stage}`, fault.code, at, rollback.flatMap(({ name, timed_out, left }) => timed_out ? [name] : left)]);
    assert.deepEqual(seen, STAGES.slice(0, STAGES.indexOf(stage) + 1), "no later stage has begun");
    await assertFree(port);
    assert.ok(!existsSync(join(stateDir, "mob.json")));
    await handles.check({ withinMs: 30_000 });
  }
  assert.deepEqual(rows, STAGES.flatMap((stage) => ["enter", "leave"].map((side) => [`${side} ${stage}`, "mob.start_failed", stage, []])));
  assert.ok(awake > 0, "members ran in some of them");
  await using mob = await Mob.start(config);
  const { tickets: [ticket] } = await mob.dispatch("lua", "x", {});
  assert.equal((await mob.turns.wait(ticket?.turn_id ?? "")).output, "x");
  const { entries } = await mob.rooms.ledger.query({ after: 0, kinds: ["mob_created", "mob_started", "mob_stopped"] });
  assert.deepEqual(entries.map(({ kind }) => kind), ["mob_created", "mob_started", "mob_stopped", "mob_started"], "what never ran never stopped");
});

test("a port in use, a store that is damaged and a hook that throws end the start with their reason, and the signal does between stages", async (t) => {
  const [stateDir, damaged] = [folder(t), folder(t)];
  const failed = async (config: Partial<MobConfig>): Promise<{ readonly fault: Fault; readonly stage: string }> => {
    const fault: unknown = await Mob.start({ definition: crowd(1), linked, stateDir, ...config }).catch((error: unknown) => error);
    assert.ok(isFault(fault) && fault.code === "mob.start_failed", String(fault));
    return { fault, stage: (fault.facts as unknown as StartFailed).stage };
  };
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const busy = await failed({ http: { port } });
  assert.deepEqual([busy.stage, (busy.fault.cause as Fault).code], ["http", "mob.unavailable"]);
  taken.close();

  writeFileSync(join(damaged, "state.sqlite"), "no database at all, but long enough to be read as the head of one".repeat(64));
  const broken = await failed({ stateDir: damaged });
  assert.equal(broken.stage, "stores");
  assert.ok(broken.fault.message.includes(join(damaged, "state.sqlite")), broken.fault.message);
  assert.match(broken.fault.hint ?? "", /atoll mob verify/);

  const hook = await failed({ hooks: { preSpawn: () => { throw new Error("the world is not ready"); } } });
  assert.equal(hook.stage, "pre_spawn");
  assert.match(hook.fault.message, /the world is not ready/);
  const early = await failed({ signal: AbortSignal.abort(new Error("not today")) });
  assert.deepEqual([early.stage, (early.fault.cause as Error).message], ["ledger", "not today"]);
  await (await Mob.start({ definition: crowd(1), linked, stateDir })).close();
});

test("hooks hear of members and passes, what they throw is an entry and hurts nobody, and errors are told after the ledger has them", async (t) => {
  const stateDir = folder(t);
  const heard: unknown[] = [];
  const errors: Entry[] = [];
  const hang = Promise.withResolvers<void>();
  await using mob = await Mob.start({ definition: crowd(3), linked, stateDir, hooks: {
    preSpawn: () => void heard.push("pre"), postSpawn: (ids) => void heard.push(ids.toSorted()),
    postReconcile: ({ members: { spawned } }) => {
      heard.push(spawned.length);
      // More than an entry may hold.
      throw new Error("cannot count ".repeat(10_000));
    },
    // Nobody waits for it.
    onError: async (event) => {
      errors.push(event);
      await hang.promise;
    },
  } });
  assert.deepEqual(heard, ["pre", ["m-1", "m-2", "m-3"], 3]);
  await mob.members.spawn({ spec: { id: "own", profile: "p" } });
  assert.deepEqual(heard.at(-1), ["own"]);
  const { results } = await mob.members.spawn_many({ specs: [{ id: "x-1", profile: "p" }, { id: "x-2", profile: "p" }] });
  assert.deepEqual([results.length, heard.slice(4).flat()], [2, ["x-1", "x-2"]]);
  await mob.reconcile({});
  await until(() => errors.length === 1);
  hang.resolve();
  await until(() => errors.length === 2);
  const { entries } = await mob.rooms.ledger.query({ after: 0, kinds: ["hook_failure"] });
  assert.deepEqual([entries.length, errors[0]?.id, entries[0]?.data["hook"]], [2, entries[0]?.id, "postReconcile"]);
});

test("a mob with a broken member, or a pass that could not be made, is degraded and says why; strict, it does not start", async (t) => {
  const stateDir = folder(t);
  const first = await Mob.start({ definition: crowd(20), linked, stateDir });
  await first.rooms.members.spawn({ id: "own", profile: "p" }, { principal: "local", origin: "api", lazy: true });
  await first.rooms.ledger.append(first.rooms.writer, [{
    kind: "member_broken", source: "mob", member: "own", generation: 1, data: { state: "broken", kind: "crashed", detail: "too often", generation: 1 },
  }]);
  assert.deepEqual(first.rooms.status().degraded.map(({ code, member }) => [code, member]), [["member_broken", "own"]]);
  await first.close();
  const strict: unknown = await Mob.start({ definition: crowd(20), linked, stateDir, strict: true }).catch((error: unknown) => error);
  assert.ok(isFault(strict) && strict.code === "mob.start_failed", String(strict));
  assert.equal((strict.facts as unknown as StartFailed).stage, "reconcile");
  assert.match(strict.message, /own is broken/);
  await using mob = await Mob.start({ definition: crowd(2), linked, stateDir });
  assert.deepEqual(mob.rooms.status().degraded.map(({ code }) => code), ["member_broken", "reconcile_incomplete"]);
  await mob.reconcile({ force: true });
  await mob.members.repair("own");
  assert.deepEqual(mob.rooms.status().degraded, []);
});
