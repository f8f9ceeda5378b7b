/**
 * Goal: a turn that its member does not survive is given up in time (spec: mob 3.3, node 4.14). Invariant: its member comes back, whatever it was
 * broken by; who ran beside it ends well. Method: code that has no memory left each time, by a clock that is pushed on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMob, type LinkedFactory } from "@atoll-run/atoll/mob";
import { Fault, type Clock } from "@atoll-run/core";
import { memberScope } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const CRASHES_MAX = 10;

/** A real clock that can be pushed on: what is due then rings at once. */
function pushedClock() {
  let aheadMs = 0;
  const timers = new Set<{ readonly dueMs: number; readonly ring: () => void }>();
  const clock: Clock = {
    now: () => Date.now() + aheadMs, monotonic: () => performance.now() + aheadMs,
    after: (ms, then) => {
      const end = (): void => {
        clearTimeout(real);
        timers.delete(timer);
      };
      const ring = (): void => {
        end();
        then();
      };
      const timer = { dueMs: performance.now() + aheadMs + ms, ring };
      const real = setTimeout(ring, Math.min(ms, 2 ** 31 - 1));
      timers.add(timer);
      return { [Symbol.dispose]: end };
    },
  };
  return { clock, push: (ms: number): void => {
    aheadMs += ms;
    for (const { dueMs, ring } of [...timers]) if (dueMs <= clock.monotonic()) ring();
  } };
}

test("a turn that crashes its member each time is a dead letter after ten, with its reason; its member was broken by it, and takes work again", async () => {
  const { clock, push } = pushedClock();
  let runs = 0;
  const beside = Promise.withResolvers<void>();
  const worker: LinkedFactory = () => async ({ content, attempt }) => {
    if (content === "beside" && attempt === 1) await beside.promise;
    if (content !== "poison") return content;
    runs += 1;
    throw new Fault({ code: "isle.memory", text: "not enough memory", retry: "later" });
  };
  const definition = defineMob({ mob: { id: "m", members: [{ id: "m", profile: "p" }] }, profiles: { p: { linked: "worker", conversations: 2 } } });
  await using mob = await startRooms({ definition, linked: { worker }, ephemeral: true, env: { clock } });
  const send = async (content: string): Promise<string> =>
    (await mob.send({ to: "m", from: "console", principal: "local", content, conversation: content, deadlineMs: 86_400_000 })).turn_id;
  const rowOf = async (turn: string) => (await mob.ledger.store.rows(memberScope("m"), { after: 0, limit: 9 })).find(({ request_id }) => request_id === turn);
  const isOver = (turn: string): boolean => (mob.view.turns.get(turn)?.ended_at_ms ?? null) !== null;
  const other = await send("beside");
  await until(() => mob.view.turns.get(other)?.state === "running");
  const poison = await send("poison");
  for (let crashes = 1; crashes <= CRASHES_MAX; crashes++) {
    // Only once the next one is open, or nobody is.
    await until(async () => {
      const { state } = mob.view.row("m") ?? {};
      const row = await rowOf(poison);
      if (row?.crashes === crashes || state === "broken") push(1_000);
      return isOver(poison) || runs > crashes;
    }, { withinMs: 60_000 });
    const row = await rowOf(poison);
    assert.equal(row?.attempts ?? 0, 0, "no attempt is counted");
  }
  const { state, reason, attempt } = await mob.members.wait(poison, {});
  assert.deepEqual([state, reason, attempt, runs], ["dead", "crashed", CRASHES_MAX, CRASHES_MAX]);
  assert.deepEqual((await mob.members.wait(other, {})).output, "beside", "who was there the first time runs again");
  const { entries } = await mob.ledger.query({ member: "m", kinds: ["member_broken"], after: 0 });
  assert.ok(entries.length > 0 && entries.every(({ data }) => data["parked"] === false), `${entries.length} breaks`);
  await until(() => {
    if (mob.view.row("m")?.state === "broken") push(1_000);
    return mob.view.row("m")?.state !== "broken";
  });
  assert.equal((await mob.members.wait(await send("fine"), {})).output, "fine");
  beside.resolve();
});
