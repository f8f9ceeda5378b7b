/** Goal: the views of the ledger are what their consumers know. Method: entries of all classes, asked for over HTTP by a real server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NewEntry } from "@atoll-run/mob";
import { served } from "./served.ts";

const ENTRIES: readonly NewEntry[] = [
  { kind: "supervisor_escalation", source: "flow", run_id: "r1", data: { flow: "f" } },
  { kind: "topology_violation", source: "flow", run_id: "r1", step_id: "ask", member: "open", data: { n: 1 } },
  { kind: "note", source: "member", member: "open", turn_id: "t_1", data: { text: "seen" } },
  { kind: "access_denied", source: "api", principal: "ann", data: { action: "member.send" } },
  { kind: "hook_failure", source: "mob", data: { hook: "post_spawn" } },
];

test("a view gives its entries as events, whose ids are the same in all of them", async (t) => {
  const { ledger, writer, rpc } = await served(t);
  const since = ledger.cursor(ledger.head);
  const [started, dispatched, note, denied, failed] = await ledger.append(writer, ENTRIES);
  const view = async (name: string, more: object = {}) => (await rpc("mob/ledger/view", { view: name, after: since, ...more })).result;
  const { events, next, exhausted } = await view("structural");
  assert.deepEqual(events, [
    {
      event_id: `mob-evt-${started?.seq}`, cursor: ledger.cursor(started?.seq ?? 0), mob_id: "m", timestamp_ms: started?.ts_ms, kind: "supervisor_escalation", run_id: "r1",
      mob_labels: {}, run_labels: {}, data: { flow: "f" },
    }, {
      event_id: `mob-evt-${dispatched?.seq}`, cursor: ledger.cursor(dispatched?.seq ?? 0), mob_id: "m", timestamp_ms: dispatched?.ts_ms, kind: "topology_violation", run_id: "r1",
      step_id: "ask", agent_identity: "open", mob_labels: {}, run_labels: {}, data: { n: 1 },
    },
  ]);
  assert.ok(exhausted && next === ledger.cursor(ledger.head));
  const ids = async (name: string) => (await view(name)).events.map(({ event_id }: { event_id: string }) => Number(event_id.replace("mob-evt-", "")));
  const wanted = [
    ["unified", [started, dispatched, note, denied, failed]], ["agent", [note]], ["audit", [denied]], ["errors", [failed]],
    ["run:r1", [started, dispatched]], ["member:open", [dispatched, note]], ["member:nobody", []],
  ] as const;
  for (const [name, entries] of wanted) assert.deepEqual(await ids(name), entries.map((entry) => entry?.seq), name);
  assert.deepEqual((await view("agent")).events[0], {
    event_id: `mob-evt-${note?.seq}`, cursor: ledger.cursor(note?.seq ?? 0), source: "member", timestamp_ms: note?.ts_ms,
    event: { class: "agent", type: "note", agent_id: "open", turn_id: "t_1", payload: { text: "seen" } },
  });
  for (const name of ["", "nothing", "run:", "toString", "constructor:x"]) {
    assert.equal((await rpc("mob/ledger/view", { view: name })).error.data.code, "mob.invalid_params", name);
  }
});

test("pages of a view go on from each other in both directions, and labels of mob and run stand in its events", async (t) => {
  const { ledger, writer, rpc } = await served(t);
  await ledger.append(writer, [{ kind: "labels_set", source: "api", data: { labels: { team: "red" } } }]);
  await ledger.append(writer, [{ kind: "labels_set", source: "api", run_id: "r1", data: { labels: { of: "blue" } } }]);
  const own = await ledger.append(writer, Array.from({ length: 5 }, (_, n) => ({ kind: "supervisor_escalation", source: "flow", run_id: "r1", data: { n } }) as const));
  const page = async (more: object) => (await rpc("mob/ledger/view", { view: "run:r1", limit: 2, ...more })).result;
  const newest = await page({});
  assert.deepEqual(newest.events.map(({ event }: { event: { payload: object } }) => event.payload), [{ n: 3 }, { n: 4 }]);
  const older = await page({ before: newest.before });
  assert.deepEqual(older.events.map(({ event }: { event: { payload: object } }) => event.payload), [{ n: 1 }, { n: 2 }]);
  const later = await page({ after: String(own[1]?.seq) });
  assert.deepEqual(later.events.map(({ cursor }: { cursor: string }) => cursor), [own[2], own[3]].map((one) => ledger.cursor(one?.seq ?? 0)));
  const [structural] = (await rpc("mob/ledger/view", { view: "structural", limit: 1 })).result.events;
  assert.deepEqual([structural.mob_labels, structural.run_labels], [{ team: "red" }, { of: "blue" }]);
});
