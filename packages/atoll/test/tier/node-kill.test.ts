/** A node whose process is killed leaves nothing behind: what its script had started ends with it. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { until } from "@atoll-run/testkit";
import { isAlive, place, startAtoll } from "../support/cli.ts";

const PATIENCE = { withinMs: 60_000 };

test("commands of a script end with the node whose process is killed, also one that has left their group", async (t) => {
  const at = place(t);
  at.file("atoll.toml", "[node]\ntype = \"acme:waits:1.0.0\"\nentry = \"waits.lua\"\n");
  at.file("waits.lua", `
    std.task.spawn(function() sh.exec("echo $$ > group.pid; sleep 600", {timeout = 600}) end)
    std.task.spawn(function() sh.exec("setsid sh -c 'echo $$ > own.pid; sleep 600'", {timeout = 600}) end)
    bus.serve()
  `);
  const node = startAtoll(at, ["node", "up", "--json", "--log", "warn"]);
  t.after(() => node.child.kill("SIGKILL"));
  await until(() => node.stdout().includes("\n") || node.child.exitCode !== null, PATIENCE);
  assert.match(node.stdout(), /"event":"up"/, node.stderr());
  const pidOf = (name: string): Promise<number> => until(() =>
    existsSync(at.path(name)) ? Number(readFileSync(at.path(name), "utf8")) || undefined : undefined, PATIENCE);
  const commands = [await pidOf("group.pid"), ...process.platform === "linux" ? [await pidOf("own.pid")] : []];
  t.after(() => commands.filter(isAlive).forEach((pid) => process.kill(pid, "SIGKILL")));
  assert.ok(commands.every(isAlive));
  node.child.kill("SIGKILL");
  await until(() => !commands.some(isAlive), PATIENCE);
});
