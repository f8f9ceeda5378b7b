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
  const begun = await mob.flows.run("audit", { root: "node_modules" });
  for (const file of ["report.md", "report.json"]) {
    const { id } = await until(async () => (await mob.approvals.list({ state: "open" })).approvals.find(({ object }) => object?.endsWith(file)), { withinMs: 50_000 });
    await mob.approvals.decide(id, "approve");
  }
  const run = await begun.wait({ signal: t.signal });
  assert.deepEqual([run.state, run.error], ["completed", undefined]);
  assert.match(readFileSync(join(folder, "atoll-audit/report.md"), "utf8"), /^1 packages under 1 names/m);
});
