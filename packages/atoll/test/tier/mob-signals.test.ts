/**
 * Goal: a mob in the foreground ends as its signals say (spec: mob 12.1): the first drains it, the second hurries it, the third ends
 * the process. Invariant: a turn that has not ended goes on at the next start, and no command of it is left behind. Method: one turn
 * whose command waits for a file; each round a real process and real signals.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { test } from "node:test";
import { createClient, type MobClient } from "@atoll-run/atoll/client";
import type { ShutdownReport } from "@atoll-run/mob";
import { until } from "@atoll-run/testkit";
import { isAlive, place, startAtoll, type Ended, type Place, type Started } from "../support/cli.ts";

/** Longer than this file may take: what ends in spite of it was hurried. */
const MOB = `[mob]
id = "post"
members = [{ id = "waits", profile = "waits" }]
[profiles.waits]
script = "waits.lua"
mode = "autonomous"
initial_message = "wait"
grants = ["run"]
[limits]
drainMs = 600000
`;
const WAITS = `bus.on("turn", function()
  return sh.exec("echo $$ > child.pid; while [ ! -e go ]; do sleep 0.05; done; echo gone", {timeout = 600}).stdout
end)
bus.serve()
`;
const PATIENCE = { withinMs: 60_000 };

interface Up extends Started {
  readonly asked: MobClient;
  /** Process id of the command that its turn waits for. */
  readonly command: number;
}

async function up(at: Place): Promise<Up> {
  rmSync(at.path("child.pid"), { force: true });
  const started = startAtoll(at, ["mob", "up", "--port", "0", "--json", "--log", "warn"], { msMax: 300_000 });
  await until(() => started.stdout().includes("\n") || started.child.exitCode !== null, PATIENCE);
  const { event, url } = JSON.parse(started.stdout()) as { event: string; url: string };
  assert.equal(event, "up", started.stderr());
  const pid = await until(() => existsSync(at.path("child.pid")) ? readFileSync(at.path("child.pid"), "utf8").trim() || undefined : undefined, PATIENCE);
  return { ...started, asked: createClient({ url, token: readFileSync(at.path(".atoll/post/http.token"), "utf8") }), command: Number(pid) };
}

/** Signals that come at once may be one: the next is sent when this one was heard. */
async function first({ child, asked }: Up): Promise<void> {
  child.kill("SIGTERM");
  await until(async () => (await asked.status()).state === "stopping", PATIENCE);
}

function reportOf({ stdout }: Ended): ShutdownReport {
  const { event, report } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as { event: string; report: ShutdownReport };
  assert.equal(event, "down");
  return report;
}

test("the first signal ends a mob when its turns have ended, the second gives them up, the third ends the process; what has not ended goes on", async (t) => {
  const at = place(t);
  at.file("mob.toml", MOB);
  at.file("waits.lua", WAITS);
  const started: Up[] = [];
  t.after(() => started.forEach(({ child }) => child.kill("SIGKILL")));
  const begin = async (): Promise<Up> => {
    const mob = await up(at);
    started.push(mob);
    return mob;
  };

  const killed = await begin();
  await first(killed);
  // So that the third finds the end that the second has begun, however fast that is.
  killed.child.kill("SIGSTOP");
  killed.child.kill("SIGHUP");
  killed.child.kill("SIGTERM");
  killed.child.kill("SIGCONT");
  const third = await killed.end;
  assert.ok(third.code === 128 + 1 || third.code === 128 + 15, `${third.code}: ${third.stderr}`);
  assert.ok(!third.stdout.includes("\"down\"") && !existsSync(at.path(".atoll/post/shutdown.json")), "nobody waits for a report");
  await until(() => !isAlive(killed.command), PATIENCE);

  const hurried = await begin();
  await first(hurried);
  hurried.child.kill("SIGINT");
  const second = await hurried.end;
  const given = reportOf(second);
  assert.equal(second.code, 128 + 2, second.stderr);
  assert.deepEqual([given.drained_turns, given.aborted_turns, given.queued_left, given.leases_released], [0, 1, 1, true]);
  assert.deepEqual(given.phases.filter(({ left }) => left.length > 0).map(({ name }) => name), ["drain"]);
  assert.deepEqual((JSON.parse(readFileSync(at.path(".atoll/post/shutdown.json"), "utf8")) as { report: unknown }).report, given);
  assert.ok(!isAlive(hurried.command), "its command has ended with it");

  const drained = await begin();
  await first(drained);
  at.file("go", "");
  const only = await drained.end;
  const { clean, drained_turns, queued_left } = reportOf(only);
  assert.deepEqual([only.code, clean, drained_turns, queued_left], [0, true, 1, 0], only.stderr);
});
