// Goal: the mob of the demo also works as a file. Method: that file, with members that sleep until the flow wakes them.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadMob, Mob } from "@atoll-run/atoll/mob";
import { until } from "@atoll-run/testkit";

test("mob.toml audits the packages beside it, and writes what was approved", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-audit-file-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(import.meta.dirname, "mob.toml"), join(folder, "mob.toml"));
  mkdirSync(join(folder, "node_modules/plain"), { recursive: true });
  writeFileSync(join(folder, "node_modules/plain/package.json"), JSON.stringify({ name: "plain", version: "1.0.0", license: "MIT" }));
  await using mob = await Mob.start({ definition: await loadMob(join(folder, "mob.toml")), ephemeral: true });
  const { run_id } = await mob.flows.run({ flow: "audit", params: { root: "node_modules" }, principal: "local" });
  for (const file of ["report.md", "report.json"]) {
    const { id } = await until(() => [...mob.view.approvals.values()].find(({ state, object }) => state === "open" && object?.endsWith(file)), { withinMs: 50_000 });
    await mob.approvals.decide({ id, decision: "approve", principal: "local", local: true });
  }
  const run = await mob.flows.wait(run_id, t.signal);
  assert.deepEqual([run.state, run.error], ["completed", undefined]);
  assert.match(readFileSync(join(folder, "atoll-audit/report.md"), "utf8"), /^1 packages under 1 names/m);
});
