/** Goal: what is not as the ledger says is found. Method: real stores, in which one thing is taken away or changed behind the back of the mob. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StateOp } from "@atoll-run/core";
import { journalOf, memberScope, openRetention, recordOp, sessionOf, SLICES_JOURNAL, verifyMob } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { house, spawned, STORES, type House } from "../support.ts";

const DAY = 86_400_000;
const session = sessionOf("ann", 1);

/** Two members, one with a session; the oldest entries are pruned. */
async function grown(of: House): Promise<House> {
  const { ledger, writer, append } = of;
  await append(spawned("old"), { kind: "members_wired", source: "mob", data: { a: "ann", b: "old", owner: "manual" } });
  await append(spawned("ann"));
  const turn = { source: "member", member: "ann", generation: 1, turn_id: "t_1", session: { id: session } } as const;
  const said = { turn_id: "t_1", role: "user", blocks: [{ type: "text", text: "hello" }], tokens: 0, ts_ms: 1 } as const;
  const head: StateOp = { op: "put", space: "session", key: session, value: JSON.stringify({ member: "ann", generation: 1 }), if_version: null };
  const member = { scope: memberScope("ann"), epoch: (await attach(of, memberScope("ann"))) };
  await ledger.append(member, [{ ...turn, kind: "turn_queued", data: {} }, { ...turn, kind: "turn_done", data: {}, dedupe_key: "t_1/end" }], [
    head, await recordOp(session, said, of),
  ]);
  await using retention = openRetention({ ...of, clock: { ...of.clock, now: () => Date.now() + DAY }, limits: { retentionMs: 1, retentionBytes: 1e12, auditMs: 1 } });
  await retention.pass();
  await ledger.append(member, [{ ...turn, turn_id: "t_2", kind: "turn_queued", data: {} }, { ...turn, turn_id: "t_2", kind: "turn_failed", data: {}, dedupe_key: "t_2/end" }], [
    await recordOp(session, { ...said, turn_id: "t_2" }, of),
  ]);
  await ledger.append(writer, [spawned("new")]);
  return of;
}

async function attach({ ledger }: House, scope: string): Promise<number> {
  const commit = await ledger.store.commit({ scope, epoch: null, at_ms: Date.now(), ops: [{ op: "attach" }] });
  assert.ok(commit.ok);
  return commit.values[0] as number;
}

async function found({ ledger, blobs, roster: { view } }: House): Promise<readonly string[]> {
  return (await verifyMob({ ledger, view, blobs, keysSinceMs: 0 }, new AbortController().signal)).map(({ code, path }) => `${code} ${path}`);
}

for (const store of STORES) {
  test(`on ${store}: a mob whose oldest entries are gone is well, and what is changed in its store is found`, async (t) => {
    const one = await grown(await house(t, store, { limits: { sliceEntries: 3 } }));
    assert.ok(one.ledger.pruned > 0);
    assert.deepEqual(await found(one), []);
    const change = async (scope: string, ...ops: readonly StateOp[]): Promise<void> => {
      assert.ok((await one.store.commit({ scope, epoch: null, at_ms: Date.now() + 365 * DAY, ops })).ok);
    };
    // A snapshot that is not what its entries make.
    await one.roster.snapshot();
    const [key = ""] = await one.store.keys("mob", "fold", { prefix: "", after: null, limit: 1 });
    const { value = "" } = await one.store.get("mob", "fold", key) ?? {};
    await change("mob", { op: "put", space: "fold", key, value: value.replace('"profile":"p"', '"profile":"q"'), if_version: null });
    const again = await one.again();
    assert.deepEqual((await found(again)).map((line) => line.split("/")[0]), ["fold_differs members"]);
    await change("mob", { op: "put", space: "fold", key, value, if_version: null });
    const well = await again.again();
    assert.deepEqual(await found(well), []);
    // A row that knows nobody of those in its slice.
    const append = (after: number) => well.ledger.append(well.writer, [spawned(`more-${after}`)]);
    await until(async () => {
      await append(well.ledger.head);
      return (await well.store.journal(SLICES_JOURNAL, { after: 0, limit: 100 })).length > 2;
    });
    assert.deepEqual(await found(well), []);
    const [row] = await well.store.journalBack(SLICES_JOURNAL, { before: Number.MAX_SAFE_INTEGER, limit: 1 });
    const slice = JSON.parse(row?.body ?? "") as { readonly after: number; readonly to: number };
    await change("mob", { op: "trim", journal: SLICES_JOURNAL, below: Number.MAX_SAFE_INTEGER, limit: 100 });
    await change("mob", { op: "append", journal: SLICES_JOURNAL, body: JSON.stringify({ ...slice, names: Buffer.alloc(8).toString("base64") }) });
    const denied = await found(well);
    assert.ok(denied.length > 0 && denied.every((line) => {
      const [code, seq] = line.split(" ledger/");
      return code === "slice_denies" && Number(seq) > slice.after && Number(seq) <= slice.to;
    }), String(denied));
    await change("mob", { op: "trim", journal: SLICES_JOURNAL, below: Number.MAX_SAFE_INTEGER, limit: 100 });
    await change(memberScope("ann"), { op: "trim", journal: journalOf(session), below: Number.MAX_SAFE_INTEGER, limit: 10 }, { op: "forget", limit: 100 });
    assert.deepEqual((await found(well)).map((line) => line.replace(/\/\d+(?=\/|$)/, "/N")).toSorted(), [
      "key_unknown ledger/N/t_2/end", `record_missing sessions/${session}/N`,
    ]);
  });
}
