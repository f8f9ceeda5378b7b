/**
 * Goal: what an older generation still does counts nowhere. Invariant: refused everywhere, and the ledger tells of it.
 * Method: code that does not stop when it is told to, the real store, real nodes; each place where something may be written.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMob, type LinkedContext, type LinkedFactory } from "@atoll-run/atoll/mob";
import { memoryBlobs, type DispatchContext, type Workload, type WorkloadMessage } from "@atoll-run/core";
import { MOB_LIMITS, type NewEntry } from "@atoll-run/mob";
import { createBlobs, createIds, Incarnation, memberScope, openLedger } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { openPlace } from "../../src/compose/place.ts";
import { startRooms } from "./rooms.ts";

const definition = defineMob({
  mob: { id: "fence", members: [{ id: "m", profile: "p" }] }, profiles: { p: { linked: "stubborn", grants: ["fs.write", "mob:send"], conversations: 2 } },
});

test("code of an older generation is refused at mailbox, ledger, session and tool, and the ledger says what it has tried", async () => {
  const contexts: LinkedContext[] = [];
  let deaf = true;
  let acted = 0;
  const stubborn: LinkedFactory = () => async ({ content }, ctx) => {
    contexts.push(ctx);
    if (deaf) await new Promise(() => undefined);
    await ctx.guarded({ grant: "fs.write", args: { path: "/x" } }, () => ++acted);
    return content;
  };
  await using mob = await startRooms({ definition, ephemeral: true, linked: { stubborn } });
  const ask = async (content: string) => (await mob.send({ to: "m", from: "console", principal: "local", content })).turn_id;
  const old = await ask("old");
  await until(() => contexts.length === 1);
  const { fence = 0 } = mob.view.row("m")?.lease ?? {};
  deaf = false;
  await mob.members.respawn("m", { principal: "local" });
  const { state, error } = await mob.members.wait(old, {});
  assert.deepEqual([state, error?.code], ["failed", "mob.interrupted"]);
  assert.equal((await mob.members.wait(await ask("new"), {})).state, "done");
  assert.ok((mob.view.row("m")?.lease.fence ?? 0) > fence, "each start has a higher fence");

  const [ctx] = contexts as [LinkedContext];
  const { head } = mob.ledger;
  await assert.rejects(ctx.guarded({ grant: "fs.write", args: { path: "/x" } }, () => ++acted), { code: "mob.stale_fence" }, "tool");
  await assert.rejects(ctx.mob.send("m", "from the old one"), { code: "mob.stale_fence" }, "its mob");
  assert.throws(() => ctx.set("k", 1), { code: "mob.stale_fence" }, "mailbox, by what it records");
  const by = { scope: memberScope("m"), epoch: fence };
  const entry: NewEntry = { kind: "note", source: "member", member: "m", generation: 1, data: {} };
  await assert.rejects(mob.ledger.append(by, [entry]), { code: "mob.stale_fence" }, "ledger");
  const commit = (ops: Parameters<typeof mob.ledger.store.commit>[0]["ops"]) => mob.ledger.store.commit({ ...by, at_ms: Date.now(), ops });
  const places = {
    session: [{ op: "append", journal: `session:${mob.view.row("m")?.session.id}`, body: "{}" }],
    mailbox: [{ op: "settle", seq: 1, fence: 1 }], document: [{ op: "put", space: "kv:member", key: "k", value: "1", if_version: null }],
  } as const;
  for (const [place, ops] of Object.entries(places)) {
    const refused = await commit(ops);
    assert.equal(refused.ok ? "done" : refused.refusal.why, "stale_epoch", place);
  }
  assert.equal(acted, 1, "only the new one has acted");
  await mob.ledger.flush();
  const { entries } = await mob.ledger.query({ member: "m", after: head });
  assert.deepEqual(entries.map(({ kind, generation, turn_id, data }) => [kind, generation, turn_id, data["what"]]), [
    ["stale_fence", 1, old, "tool"], ["stale_fence", 1, old, "tool"], ["stale_fence", 1, old, "mailbox"],
  ]);
});

test("code of an incarnation that is over reaches no wire", async () => {
  await using place = new PlaceOfTest();
  const { clock, store, bytes } = await place.opened;
  const newId = createIds({ clock, bytes });
  await using ledger = await openLedger({ store, clock, newId, log: { write: () => undefined } }, { mob: "m", limits: MOB_LIMITS });
  const refused: string[] = [];
  const begun = Promise.withResolvers<DispatchContext>();
  const inner: Workload = {
    kind: "linked", concurrency: 1, route: () => ({ policy: {} }), start: async () => undefined, close: async () => undefined,
    dispatch: (_: WorkloadMessage, context) => new Promise(() => begun.resolve(context)),
  };
  const { key: _key, close: _close, durability: _durability, ...node } = await place.opened;
  const made = new Incarnation({
    ledger, blobs: createBlobs({ store: memoryBlobs(), limits: MOB_LIMITS }), node, limits: MOB_LIMITS, member: "m", generation: 1, conversations: 1, session: { generation: 1, begun: false }, turnOf: () => undefined, inner: async () => inner,
    events: {
      exited: () => undefined, spent: () => undefined, ready: () => undefined, startFailed: () => undefined, died: () => undefined, lost: () => undefined, refused: (what) => refused.push(what),
    },
  });
  made.begin();
  const turn_id = newId("t");
  await made.accept({ turn_id, from: "x", principal: "x", conversation: "x", content: 1, deadline_at_ms: clock.now() + 600_000 }, []);
  const context = await begun.promise;
  await context.tell({ to: "self", route: "turn", payload: new TextEncoder().encode(JSON.stringify({ turn_id: "t_2" })) });
  await made.interrupt();
  await made.close();
  const payload = new Uint8Array(0);
  await assert.rejects(context.tell({ to: "self", route: "turn", payload }), { code: "mob.stale_fence" });
  await assert.rejects(context.call({ to: "self", route: "turn", payload }), { code: "mob.stale_fence" });
  await assert.rejects(context.discover("x"), { code: "mob.stale_fence" });
  await assert.rejects(context.openStream("self", "x"), { code: "mob.stale_fence" });
  assert.deepEqual(refused, ["wire", "wire", "wire", "wire"]);
});

/** Nothing on the disk. */
class PlaceOfTest implements AsyncDisposable {
  readonly opened = openPlace({ memory: true });

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.opened).close();
  }
}
