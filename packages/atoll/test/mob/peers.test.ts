/**
 * Goal: who works of its own accord is told of each edge that comes or goes (spec: mob 3.1, 4.4). Invariant: once for each, whenever the
 * process dies: the ledger says what is owed. Method: real processes that kill themselves between the edge and the notice, and behind it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { defineMob } from "@atoll-run/atoll/mob";
import { Fault } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

test("a notice of a peer that a kill comes before is told by the next start, one that was told is not told again, also of an edge that an operator holds back", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-peers-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const run = async (...args: readonly string[]): Promise<unknown> => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "peers-child.ts"), dir, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) lines.push(line);
    return JSON.parse(lines.at(-1) ?? "{}");
  };
  const added = [{ event: "peer_added", peer: "peer" }, true];
  const removed = [{ event: "peer_removed", peer: "peer" }, true];
  assert.deepEqual(await run("wire", "members_wired"), { killed: "members_wired" });
  assert.deepEqual(await run("look", "turn_queued"), { killed: "turn_queued" }, "it is told by the start that follows");
  assert.deepEqual(await run("look"), { told: [added], heard: ["peer_added"], findings: [] }, "and not once more");
  assert.deepEqual(await run("unwire", "edge_suppressed"), { killed: "edge_suppressed" });
  assert.deepEqual(await run("look"), { told: [added, removed], heard: ["peer_removed"], findings: [] });
  assert.deepEqual(await run("look"), { told: [added, removed], heard: [], findings: [] });
});

test("who has no room for all notices of his peers gets as many as he has room for, and the others as his turns end: none is refused on the way", async () => {
  const peers = ["a", "b", "c", "d", "e", "f"];
  const free = Promise.withResolvers<void>();
  const heard: string[] = [];
  const refused: string[] = [];
  await using mob = await startRooms({
    definition: defineMob({
      mob: { id: "m", members: [{ id: "auto", profile: "auto" }, ...peers.map((id) => ({ id, profile: "p" }))] },
      profiles: { auto: { linked: "auto", mode: "autonomous" }, p: { linked: "auto" } }, limits: { turnsMax: 2 },
    }),
    linked: { auto: () => async ({ content, conversation }) => {
      await free.promise;
      if (conversation === "peers") heard.push((content as { peer: string }).peer);
    } },
    ephemeral: true, env: { log: { write: ({ msg, fields }) => void (msg === "a turn of the mob was not sent" && refused.push(String(fields?.["reason"]))) } },
  });
  await until(() => mob.view.members.get("auto")?.greeted === true);
  for (const peer of peers) await mob.edges.wire("auto", peer, "local");
  // One finds room beside the first turn.
  await until(() => mob.view.members.get("auto")?.untold?.length === peers.length - 1);
  free.resolve();
  await until(() => heard.length === peers.length);
  assert.deepEqual([heard, refused, mob.view.members.get("auto")?.untold], [peers, [], undefined]);
});

test("who is broken is told of his peers when he runs again: until then nothing is sent, and nothing refused", async () => {
  const heard: string[] = [];
  const refused: string[] = [];
  let well = false;
  await using mob = await startRooms({
    definition: defineMob({
      mob: { id: "m", members: [{ id: "auto", profile: "auto" }, { id: "a", profile: "p" }] },
      profiles: { auto: { linked: "auto", mode: "autonomous" }, p: { linked: "auto" } }, limits: { crashesMax: 1, repairMs: 600_000 },
    }),
    linked: { auto: () => ({ content, conversation }) => {
      if (!well) throw new Fault({ code: "isle.memory", text: "not enough memory", retry: "later" });
      if (conversation === "peers") heard.push((content as { peer: string }).peer);
    } },
    ephemeral: true, env: { log: { write: ({ msg, fields }) => void (msg === "a turn of the mob was not sent" && refused.push(String(fields?.["reason"]))) } },
  });
  await until(() => mob.view.row("auto")?.state === "broken");
  await mob.edges.wire("auto", "a", "local");
  await until(() => mob.view.members.get("auto")?.untold?.length === 1);
  well = true;
  await mob.members.repair("auto", { principal: "local" });
  await until(() => heard.length === 1);
  assert.deepEqual([heard, refused], [["a"], []]);
});
