/** Goal: what a turn gives may be larger than an entry. Invariant: whoever asks gets all of it or nothing. Method: real store, real nodes. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, type LinkedFactory, type MobRooms } from "@atoll-run/atoll/mob";
import type { Entry } from "@atoll-run/mob";
import { memberScope } from "@atoll-run/mob/internal";
import { startRooms } from "./rooms.ts";

const MIB = 1_048_576;
const definition = (limits: Record<string, number> = {}) => defineMob({
  mob: { id: "large", members: [{ id: "lua", profile: "script" }, { id: "ts", profile: "linked" }, { id: "w", profile: "worker", count: 2 }] },
  profiles: { script: { script: "large.lua" }, linked: { linked: "sizes" }, worker: { linked: "sizes" } },
  flows: { pass: { steps: {
    list: { member: "ts", message: "list", dispatch: "one_to_one" },
    each: { role: "worker", depends_on: ["list"], dispatch: "share", items: "steps.list.output.items" },
    sum: { member: "ts", depends_on: ["each"], message: "{{ steps.each.output }}", dispatch: "one_to_one" },
  } } }, limits,
});

const items = [1, 2, 3].map((n) => ({ n, text: String(n).repeat(50_000) }));

const sizes: LinkedFactory = () => ({ content }) => {
  if (Array.isArray(content)) return content.map((item) => (item as { text: string }).text.length);
  if (content === "list") return { items };
  const { size, text } = content as { size?: number; text?: string };
  return text === undefined ? "y".repeat(size ?? 0) : { text: text + text };
};

async function opened(t: TestContext, dir: string, limits?: Record<string, number>): Promise<MobRooms> {
  const mob = await startRooms({ stateDir: dir, root: join(import.meta.dirname, "scripts"), linked: { sizes }, definition: definition(limits) });
  t.after(() => mob.close());
  return mob;
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-large-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function turn(mob: MobRooms, to: string, content: object | string) {
  const { turn_id } = await mob.send({ to, from: "console", principal: "local", content: content as never });
  return await mob.members.wait(turn_id, {});
}

test("an output of up to 1 MiB is whole for whoever asks, also after a restart; its entry holds how it begins", async (t) => {
  const dir = folder(t);
  const first = await opened(t, dir);
  const lua = await turn(first, "lua", { size: 300_000 });
  assert.deepEqual([lua.state, (lua.output as { text: string }).text.length, lua.stored], ["done", 300_000, undefined]);
  const most = await turn(first, "ts", { size: MIB - 2 });
  assert.equal((most.output as string).length, MIB - 2);
  const { entries } = await first.ledger.query({ turn_id: most.turn_id, kinds: ["turn_done"], after: 0 });
  const { stored, output } = (entries[0] as Entry).data as unknown as { stored: { bytes: number; preview: string }; output?: unknown };
  assert.deepEqual([stored.bytes, Buffer.byteLength(stored.preview), output], [MIB, 1_024, undefined]);
  assert.equal(first.view.turns.get(most.turn_id)?.output, null, "memory has its beginning only");
  await first.close();
  const again = await opened(t, dir);
  assert.deepEqual((await again.members.wait(most.turn_id, {})).output, most.output);
});

test("a content of up to 1 MiB reaches its member; more is refused before anything is stored", async (t) => {
  const mob = await opened(t, folder(t));
  const text = "z".repeat(MIB - '{"text":""}'.length);
  const done = await turn(mob, "ts", { text: text.slice(0, 400_000) });
  assert.equal((done.output as { text: string }).text.length, 800_000);
  const most = await turn(mob, "ts", { text });
  assert.deepEqual([most.state, (most.output as { size: number }).size], ["done", 2 * text.length + '{"text":""}'.length], "it came whole: twice of it is a blob");
  await assert.rejects(turn(mob, "ts", { text: `${text}z` }), { code: "mob.too_large" });
  const { entries } = await mob.ledger.query({ turn_id: most.turn_id, kinds: ["turn_queued"], after: 0 });
  assert.equal(Buffer.byteLength(String(entries[0]?.data["preview"])), 1_024);
});

test("steps of a flow pass large outputs on whole, and its own output is whole", async (t) => {
  const mob = await opened(t, folder(t));
  const { run_id } = await mob.flows.run({ flow: "pass", principal: "local" });
  const run = await mob.flows.wait(run_id, t.signal);
  assert.deepEqual([run.state, await mob.flows.output(run)], ["completed", [100_000, 100_000, 100_000]], JSON.stringify(run.error));
  assert.ok(JSON.stringify(run).length < 50_000, "a run as it is held has the beginnings only");
});

test("documents of turns that retention has taken go when another is put", async (t) => {
  const mob = await opened(t, folder(t), { retentionMs: 1 });
  const old = await turn(mob, "ts", { size: 10_000 });
  assert.equal((old.output as string).length, 10_000);
  const next = await turn(mob, "ts", { size: 20_000 });
  const keys = await mob.ledger.store.keys(memberScope("ts"), "turns", { prefix: "", after: null, limit: 10 });
  assert.deepEqual(keys, [next.turn_id]);
  assert.deepEqual((await mob.members.wait(old.turn_id, {})).stored?.bytes, 10_002, "what is left of it is how it began");
});
