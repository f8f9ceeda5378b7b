/**
 * Goal: a disk that is full costs time, and nothing else. Invariant: what was accepted is done once, what is refused is refused at
 * once, and it ends by itself. Method: a real file system of 8 MiB that is filled and emptied while a turn runs.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { defineMob } from "@atoll-run/atoll/mob";
import { isFault } from "@atoll-run/core";
import { openState } from "@atoll-run/sqlite";
import { until } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const MIB = 1_048_576;
const SENDS_MAX = 1_000;

/** Undefined: none can be mounted here. */
function smallDisk(): string | undefined {
  const root = mkdtempSync(join(tmpdir(), "atoll-disk-"));
  const at = join(root, "small");
  mkdirSync(at);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", at]).status === 0;
  if (mounted) return at;
  rmSync(root, { recursive: true });
  return undefined;
}

function release(disk: string): void {
  spawnSync("umount", ["-l", disk]);
  rmSync(dirname(disk), { recursive: true, force: true });
}

/** Takes all that is left. Gives what frees it again. */
function fill(disk: string): () => void {
  const ballast = join(disk, "ballast");
  const file = openSync(ballast, "w");
  try {
    for (const chunk of [MIB, 4_096]) {
      try {
        for (;;) writeSync(file, Buffer.alloc(chunk));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
      }
    }
  } finally {
    closeSync(file);
  }
  return () => rmSync(ballast);
}

test("on a full disk a mob refuses what is new, leaves by itself when there is space, and ends what it had accepted once", async (t) => {
  const disk = smallDisk();
  if (disk === undefined) return t.skip("no file system can be mounted here");
  const store = await openState({ dir: disk });
  let free: (() => void) | undefined;
  t.after(async () => {
    free?.();
    await mob.close({ drainMs: 0 });
    await store[Symbol.asyncDispose]();
    release(disk);
  });
  const gate = Promise.withResolvers<void>();
  const mob = await startRooms({
    ephemeral: true, env: { store }, linked: { echo: () => async ({ content }) => {
      if (content === "slow") await gate.promise;
      return content === "slow" ? "slow" : "done";
    } },
    definition: defineMob({ mob: { id: "disk", members: [{ id: "m", profile: "p" }, { id: "n", profile: "p" }] }, profiles: { p: { linked: "echo" } }, limits: { storageProbeMs: 100 } }),
  });
  const send = (to: string, content: string) => mob.send({ to, from: "console", principal: "local", content });
  const slow = await send("m", "slow");
  await until(() => mob.view.turns.get(slow.turn_id)?.state === "running");
  free = fill(disk);
  const accepted: string[] = [slow.turn_id];
  const refused = await (async () => {
    for (let n = 0; n < SENDS_MAX; n++) accepted.push((await send("n", `${n} ${"x".repeat(50_000)}`)).turn_id);
    return undefined;
  })().catch((error: unknown) => error);
  assert.ok(isFault(refused) && refused.code === "mob.storage_degraded" && refused.retry === "later", String(refused));
  await until(() => mob.ledger.degraded !== undefined);
  assert.equal(mob.ledger.degraded?.cause, "state.full");
  const { head } = mob.ledger;
  gate.resolve();
  await assert.rejects(mob.ledger.append(mob.writer, [{ kind: "note", source: "test", data: {} }]), { code: "mob.storage_degraded" });
  assert.equal(mob.ledger.head, head, "nothing is written");
  free();
  free = undefined;
  await until(() => mob.ledger.degraded === undefined);
  for (const turn of accepted) {
    const { state, output } = await mob.members.wait(turn, {});
    assert.deepEqual([state, output], ["done", turn === slow.turn_id ? "slow" : "done"]);
    const { entries } = await mob.ledger.query({ turn_id: turn, classes: ["turn"], after: 0, limit: 1_000 });
    assert.deepEqual([entries.filter(({ kind }) => kind === "turn_queued").length, entries.filter(({ kind }) => kind === "turn_done").length], [1, 1]);
  }
  const { entries } = await mob.ledger.query({ classes: ["system"] });
  const [degraded, recovered] = entries.filter(({ kind }) => kind.startsWith("storage_"));
  assert.deepEqual([degraded?.kind, degraded?.data["cause"], recovered?.kind], ["storage_degraded", "state.full", "storage_recovered"]);
  assert.ok((recovered?.data["refused"] as number) > 0);
  const later = await send("n", "later");
  assert.equal((await mob.members.wait(later.turn_id, {})).state, "done");
});

test("a disk that fails makes a mob degraded; its file is opened anew when the disk is well, and all that was accepted ends once, without a restart", {
  skip: spawnSync("prlimit", ["--version"]).status !== 0 && "no prlimit",
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-disk-"));
  const child = spawn(process.execPath, [join(import.meta.dirname, "disk-child.ts"), dir], { stdio: ["ignore", "pipe", "inherit"] });
  /** Nothing can be written behind so many bytes of any file: an I/O error. */
  const limit = (bytes: string): void => assert.equal(spawnSync("prlimit", ["--pid", String(child.pid), `--fsize=${bytes}:unlimited`]).status, 0);
  t.after(() => {
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => JSON.parse((await lines.next()).value as string) as T;
  assert.equal(await next(), "runs");
  limit("1");
  const failing = await next<{ code: string; asleep: string; cause: string; degraded: { code: string; text: string }[] }>();
  assert.deepEqual([failing.code, failing.asleep, failing.cause], ["mob.storage_degraded", "mob.storage_degraded", "state.broken"]);
  assert.match(failing.degraded.find(({ code }) => code === "storage_degraded")?.text ?? "", /its file is opened anew every few seconds/);
  limit("unlimited");
  const { accepted, ...well } = await next<{ accepted: number; calls: number; queued: number; done: number }>();
  assert.deepEqual(well, {
    ends: ["done"], later: 5, calls: 2, states: ["active", "active", "active"], degraded: [], lost: 0, twice: 0, queued: accepted + 1, done: accepted + 1, recovered: 1, bad: [],
  });
});
