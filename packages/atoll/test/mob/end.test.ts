/**
 * Goal: a mob that ends says what became of everything, and it is so (spec: mob 12.2, A41). Invariant: the sum of its phases bounds
 * the end, whatever its members do; what was accepted and has not ended is there at the next start.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, Mob, type LinkedFactory, type MobConfig, type MobHandle } from "@atoll-run/atoll/mob";
import { SseDecoder } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";

const definition = defineMob({
  mob: { id: "end", members: [{ id: "w", profile: "worker", count: 20 }, { id: "endless", profile: "endless" }, { id: "asks", profile: "asks" }] },
  profiles: { worker: { linked: "worker" }, endless: { linked: "endless" }, asks: { linked: "asks", grants: ["fs.write:report"] } },
  approvals: [{ match: { grant: "fs.write", member: "asks" }, tier: "R3" }],
});

/** Turns of workers end when they are let go. */
function crew() {
  const going = new Map<string, () => void>();
  const begun: string[] = [];
  const linked: Readonly<Record<string, LinkedFactory>> = {
    worker: () => async ({ content }) => {
      begun.push(String(content));
      await new Promise<void>((resolve) => void going.set(String(content), resolve));
      return content;
    },
    // Hears no signal.
    endless: () => async ({ content }) => {
      begun.push(String(content));
      await new Promise<never>(() => undefined);
    },
    asks: () => async ({ content }, ctx) => {
      begun.push(String(content));
      return await ctx.guarded({ grant: "fs.write", args: { path: "report/a" } }, () => content);
    },
  };
  return { linked, begun, let: (name: string) => going.get(name)?.() };
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-end-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const start = (dir: string, config: Partial<MobConfig>): Promise<MobHandle> => Mob.start({ definition, stateDir: dir, ...config });
const ask = (to: string, content: string) => ({ to, content, from: "console", principal: "local", key: content });
const states = (mob: MobHandle): Record<string, string> =>
  Object.fromEntries([...mob.rooms.view.turns.values()].map(({ turn_id, state }) => [turn_id, state]));

test("an end with turns that run, never end, wait for an approval and wait in the queue tells of each what became of it, and it is so", async (t) => {
  const dir = folder(t);
  const { linked, begun, let: release } = crew();
  const mob = await start(dir, { linked, http: { port: 0 }, drainTimeoutMs: 1_500 });
  const names = new Map<string, string>();
  const send = async (to: string, name: string): Promise<void> => void names.set((await mob.rooms.send(ask(to, name))).turn_id, name);
  for (let n = 1; n <= 20; n++) await send(`w-${n}`, `run-${n}`);
  await send("endless", "endless");
  await send("asks", "parked");
  for (let n = 1; n <= 20; n++) await send(`w-${n}`, `queued-${n}`);
  await send("endless", "queued-21");
  await until(() => begun.length >= 22 && [...mob.rooms.view.approvals.values()].some(({ state }) => state === "open"));
  const stream = await listen(mob);
  const { horizon_ms } = mob.rooms.status();
  const closing = mob.close();
  await assert.rejects(mob.rooms.send(ask("w-1", "late")), { code: "mob.shutting_down" });
  await assert.rejects(mob.rooms.reconciler.reconcile({ principal: "local" }), { code: "mob.shutting_down" });
  // Half of them end in time.
  for (let n = 1; n <= 10; n++) release(`run-${n}`);
  const report = await closing;
  assert.equal(await mob.close(), report, "it is the same end");
  assert.deepEqual(report.phases.map(({ name }) => name), ["refuse", "drain", "members", "ledger", "http", "stores"]);
  assert.ok(report.took_ms <= horizon_ms, `${report.took_ms} ms of ${horizon_ms}`);
  assert.deepEqual([report.drained_turns, report.aborted_turns, report.queued_left, report.approvals_open], [10, 11, 33, 1]);
  const drain = report.phases.find(({ name }) => name === "drain");
  assert.equal(drain?.timed_out, true);
  assert.deepEqual(drain?.left.map((turn) => names.get(turn)).toSorted(), ["endless", ...Array.from({ length: 10 }, (_, n) => `run-${n + 11}`)].toSorted());
  assert.deepEqual(report.phases.filter(({ name, left }) => name !== "drain" && left.length > 0), []);
  assert.deepEqual([report.clean, report.leases_released, report.head], [false, true, mob.rooms.ledger.head]);
  // HTTP ended after the members: its readers have heard all of it.
  const heard = await stream.heard;
  assert.deepEqual(heard.slice(-2), ["mob_stopped", "bye"]);
  assert.ok(heard.includes("turn_done") && heard.indexOf("turn_done") > heard.indexOf("mob_stopping"), String(heard));

  const rest = crew();
  const again = await start(dir, { linked: rest.linked });
  const open = Object.entries(states(again)).filter(([, state]) => state !== "done").map(([turn]) => names.get(turn));
  assert.equal(open.length, report.queued_left, "what was left is there");
  await until(() => rest.begun.includes("endless") && Array.from({ length: 10 }, (_, n) => `run-${n + 11}`).every((name) => rest.begun.includes(name)));
  assert.deepEqual(rest.begun.filter((name) => /^run-\d$|^run-10$/.test(name)), [], "what had ended does not run again");
  const { phases } = await again.close({ stepMs: 500 });
  assert.deepEqual(phases.flatMap(({ name, left }) => name === "drain" ? [] : left), []);
});

/** Kinds of entries, then `bye`. */
async function listen(mob: MobHandle): Promise<{ readonly heard: Promise<readonly string[]> }> {
  const { url = "", token = "" } = mob.http ?? {};
  const response = await fetch(`${url}/v1/stream?topics=entries`, { headers: { authorization: `Bearer ${token}` } });
  const all = async (): Promise<readonly string[]> => {
    const decoder = new SseDecoder(1_000_000);
    const heard: string[] = [];
    for await (const piece of response.body as AsyncIterable<Uint8Array>) {
      for (const { event, data } of decoder.push(piece)) heard.push(event === "entry" ? (JSON.parse(data) as { kind: string }).kind : String(event));
    }
    return heard.filter((kind) => kind !== "live");
  };
  return { heard: all() };
}
