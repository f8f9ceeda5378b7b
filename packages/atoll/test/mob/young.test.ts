/**
 * Goal: a turn leaves nothing for the next major collection but its entries. Method: turns of a linked member one after the
 * other, with a minor collection after every few; what two of them do not take is old.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { defineMob } from "@atoll-run/atoll/mob";
import { startRooms } from "./rooms.ts";

const TURNS = 300;
const EVERY = 20;
const SETTLE_MS = 20;
/** Entries that leave the tail of the ledger were old by then: 7 KB a turn. All that is made for a turn is 70 KB. */
const GARBAGE_BYTES = 12 * 1_024;

setFlagsFromString("--expose-gc");
// Code that is not used for a while would count as garbage.
setFlagsFromString("--no-flush-bytecode");
const collect = runInNewContext("gc") as (o?: { readonly type: "minor" }) => void;

function oldBytes(): number {
  return getHeapSpaceStatistics().filter(({ space_name }) => /old|large/.test(space_name)).reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

test("a turn of a linked member leaves nothing but its entries for the next major collection", async () => {
  const definition = defineMob({ mob: { id: "young", members: [{ id: "a", profile: "p" }] }, profiles: { p: { linked: "echo" } } });
  await using mob = await startRooms({ definition, ephemeral: true, linked: { echo: () => ({ content }) => content } });
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const { turn_id } = await mob.send({ to: "a", from: "test", principal: "test", content: i });
      await mob.members.wait(turn_id, { waitMs: 30_000 });
      if (i % EVERY !== EVERY - 1) continue;
      // What is told when a turn has ended is told by then.
      await sleep(SETTLE_MS);
      for (let round = 0; round < 2; round++) collect({ type: "minor" });
    }
  };
  await turns(TURNS);
  collect();
  await turns(TURNS);
  const before = oldBytes();
  collect();
  const garbage = (before - oldBytes()) / TURNS;
  assert.ok(garbage < GARBAGE_BYTES, `${Math.round(garbage)} bytes of each turn were old garbage`);
});
