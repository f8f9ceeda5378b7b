/**
 * Goal: an output over 1 MiB is a blob that its turn refers to. Invariant: what is referred to is there; a blob that nobody refers to costs bytes only.
 * Method: whole mobs on a folder, and a process that dies between the blob and the commit.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, type LinkedFactory, type MobRooms } from "@atoll-run/atoll/mob";
import { memoryBlobs, stateFull, type BlobStore } from "@atoll-run/core";
import { readSession } from "@atoll-run/mob";
import { fromBlob, isRef, sessionOf, wholeRecord } from "@atoll-run/mob/internal";
import { verifyState } from "../../src/compose/verify-state.ts";
import { startRooms } from "./rooms.ts";

const CHILD = join(import.meta.dirname, "blob-child.ts");
const MIB = 1_048_576;
const LIST = { type: "array", items: { type: "string" }, minItems: 3 } as const;

const definition = (limits: Record<string, number> = {}) => defineMob({
  mob: { id: "m", members: [{ id: "big", profile: "p" }, { id: "lua", profile: "script" }, { id: "w", profile: "p", count: 2 }] },
  profiles: { p: { linked: "big" }, script: { script: "large.lua" } },
  flows: {
    pass: { steps: {
      make: { member: "big", message: `{"list":3,"size":600000}`, dispatch: "one_to_one", expect: LIST },
      look: { member: "big", depends_on: ["make"], message: "{{ steps.make.output }}", dispatch: "one_to_one" },
    } },
    wrong: { steps: { make: { member: "big", message: `{"list":2,"size":600000}`, dispatch: "one_to_one", retries: 0, expect: LIST } } },
    join: { steps: {
      make: { role: "p", message: `{"size":700000}`, dispatch: "fan_out" },
      look: { member: "big", depends_on: ["make"], message: "{{ steps.make.output }}", dispatch: "one_to_one" },
    } },
  }, limits,
});

const big: LinkedFactory = () => ({ content }) => {
  if (isRef(content)) return { got: content };
  const { size, list, secret } = (typeof content === "string" ? JSON.parse(content) : content) as { size: number; list?: number; secret?: string };
  if (secret !== undefined) return { password: secret, text: "y".repeat(size) };
  return list === undefined ? "y".repeat(size) : Array.from({ length: list }, () => "z".repeat(size));
};

async function opened(t: TestContext, o: { readonly dir?: string; readonly blobs?: BlobStore; readonly limits?: Record<string, number> } = {}): Promise<MobRooms> {
  const { dir, blobs, limits } = o;
  const mob = await startRooms({
    ...dir === undefined ? { ephemeral: true } : { stateDir: dir }, ...blobs === undefined ? {} : { env: { blobs } },
    root: join(import.meta.dirname, "scripts"), linked: { big }, definition: definition(limits),
  });
  t.after(() => mob.close());
  return mob;
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-mob-blobs-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function turn(mob: MobRooms, content: object, to = "big") {
  const { turn_id } = await mob.send({ to, from: "console", principal: "local", content: content as never });
  return await mob.members.wait(turn_id, {});
}

test("an output over 1 MiB is a blob: whoever waits, the ledger, the session and a later process have what refers to it", async (t) => {
  const dir = folder(t);
  const mob = await opened(t, { dir });
  const done = await turn(mob, { size: 3 * MIB });
  assert.ok(isRef(done.output), JSON.stringify(done).slice(0, 300));
  const { blob_id } = done.output;
  assert.deepEqual([done.state, done.output], ["done", { type: "ref", blob_id, media_type: "text/plain; charset=utf-8", size: 3 * MIB }]);
  assert.equal(fromBlob(await mob.blobs.get(blob_id)), "y".repeat(3 * MIB));
  const { entries: [entry] } = await mob.ledger.query({ turn_id: done.turn_id, kinds: ["turn_done"], after: 0 });
  assert.deepEqual(entry?.data["output"], done.output);
  const { records } = await readSession(mob.ledger.store, { session_id: sessionOf("big", 1) });
  assert.deepEqual(records.at(-1)?.blocks, [{ ...done.output, origin: "big", taint: "clean" }]);
  assert.deepEqual(await turn(mob, { size: 3 * MIB }).then(({ output }) => output), done.output);
  assert.deepEqual(readdirSync(join(dir, "blobs")), [blob_id.slice("sha256:".length)], "equal outputs are written once");
  await mob.close();
  assert.deepEqual(await verifyState(dir, t.signal), []);
  const again = await opened(t, { dir });
  assert.deepEqual((await again.members.wait(done.turn_id, {})).output, done.output);
  assert.equal((await again.blobs.get(blob_id)).size, 3 * MIB);
  await again.close();
  rmSync(join(dir, "blobs"), { recursive: true });
  assert.deepEqual((await verifyState(dir, t.signal)).map(({ severity, code, path }) => [severity, code, path]), [["warning", "blob_missing", `turns/${done.turn_id}/${blob_id}`]]);
});

test("a mob that is destroyed leaves no blob", async (t) => {
  const dir = folder(t);
  const mob = await opened(t, { dir });
  await turn(mob, { size: 2 * MIB });
  assert.equal(existsSync(join(dir, "blobs")), true);
  await mob.life.command("destroy", { principal: "local" });
  await mob.ended;
  assert.equal(existsSync(dir), false);
});

test("a script gives as much as a function; JSON stays JSON, and secrets in it are masked", async (t) => {
  const mob = await opened(t);
  const lua = await turn(mob, { size: 2 * MIB }, "lua");
  assert.ok(isRef(lua.output), JSON.stringify(lua).slice(0, 300));
  assert.equal((fromBlob(await mob.blobs.get(lua.output.blob_id)) as { text: string }).text.length, 2 * MIB);
  const secret = await turn(mob, { size: 2 * MIB, secret: "hunter2" });
  assert.ok(isRef(secret.output));
  assert.deepEqual([secret.output.media_type, fromBlob(await mob.blobs.get(secret.output.blob_id))], ["application/json", { password: "[REDACTED]", text: "y".repeat(2 * MIB) }]);
});

test("an output of 25 MiB is taken, one over it fails its turn; a limit of the definition counts", async (t) => {
  const mob = await opened(t);
  const most = await turn(mob, { size: 25 * MIB - 2 });
  assert.ok(isRef(most.output), JSON.stringify(most).slice(0, 300));
  const over = await turn(mob, { size: 25 * MIB });
  assert.deepEqual([over.state, over.error?.code, over.output], ["failed", "mob.too_large", null]);
  const small = await opened(t, { limits: { blobBytesMax: 2 * MIB } });
  assert.equal((await turn(small, { size: 2 * MIB })).error?.code, "mob.too_large");
});

test("a record of a session that is larger than one may be has its blocks in a blob", async (t) => {
  const mob = await opened(t);
  const { output, turn_id } = await turn(mob, { size: MIB - 2 });
  assert.equal((output as string).length, MIB - 2, "an output of 1 MiB stands among rows");
  const { records } = await readSession(mob.ledger.store, { session_id: sessionOf("big", 1) });
  const record = records.at(-1);
  assert.ok(record !== undefined && record.apart === true && record.turn_id === turn_id);
  assert.deepEqual((await wholeRecord(record, mob.blobs)).blocks, [{ type: "text", text: output, origin: "big", taint: "clean" }]);
});

test("a step expects what is in the blob, and passes on what refers to it", async (t) => {
  const mob = await opened(t);
  const done = await mob.flows.wait((await mob.flows.run({ flow: "pass", principal: "local" })).run_id, t.signal);
  const output = await mob.flows.output(done) as { got: unknown };
  assert.deepEqual([done.state, isRef(output.got as never)], ["completed", true], JSON.stringify(done.error));
  const wrong = await mob.flows.wait((await mob.flows.run({ flow: "wrong", principal: "local" })).run_id, t.signal);
  assert.equal(wrong.state, "failed");
  assert.match(JSON.stringify(wrong.error), /expect/);
});

test("a message of a flow over 1 MiB goes as a blob", async (t) => {
  const mob = await opened(t);
  const run = await mob.flows.wait((await mob.flows.run({ flow: "join", principal: "local" })).run_id, t.signal);
  const { got } = await mob.flows.output(run) as { got: never };
  assert.ok(isRef(got), JSON.stringify(run.error));
  assert.deepEqual(Object.keys(fromBlob(await mob.blobs.get((got as { blob_id: string }).blob_id)) as object), ["big", "w-1", "w-2"]);
});

test("a blob that cannot be written leaves its turn to be run again, with nothing that refers to it", async (t) => {
  const inner = memoryBlobs();
  let fails = 2;
  const mob = await opened(t, { blobs: { ...inner, put: async (key, bytes) => {
    if (fails-- > 0) throw stateFull("here");
    return await inner.put(key, bytes);
  } } });
  const done = await turn(mob, { size: 2 * MIB });
  assert.deepEqual([done.state, done.attempt, isRef(done.output as never)], ["done", 3, true], JSON.stringify(done.error));
});

for (const [when, left] of [["before", 0], ["after", 1]] as const) {
  test(`a process that is killed ${when} the blob of an output leaves no turn that refers to it; the next one makes both`, async (t) => {
    const dir = folder(t);
    const child = spawn(process.execPath, [CHILD, dir, when], { stdio: "inherit" });
    const [, signal] = await once(child, "exit");
    assert.equal(signal, "SIGKILL");
    let files: readonly string[] = [];
    try {
      files = readdirSync(join(dir, "blobs"));
    } catch {
      // Nothing was put.
    }
    assert.equal(files.length, left);
    const mob = await startRooms({
      definition: defineMob({ mob: { id: "m", members: [{ id: "big", profile: "p" }] }, profiles: { p: { linked: "big" } } }), stateDir: dir,
      linked: { big: () => () => "y".repeat(3_000_000) },
    });
    t.after(() => mob.close());
    const [turn_id = ""] = mob.view.turns.keys();
    const done = await mob.members.wait(turn_id, {});
    assert.deepEqual([done.state, done.attempt], ["done", 2]);
    const { entries } = await mob.ledger.query({ turn_id, kinds: ["turn_done"], after: 0 });
    assert.deepEqual([entries.length, isRef(done.output as never)], [1, true]);
    assert.equal((await mob.blobs.get((done.output as { blob_id: string }).blob_id)).size, 3_000_000);
    assert.equal(readdirSync(join(dir, "blobs")).length, 1, "equal bytes are written once, over processes");
  });
}
