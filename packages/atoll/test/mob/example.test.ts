/** The mob of section 1 of the specification, without its schedule: it loads as it stands there, and runs. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadMob } from "@atoll-run/atoll/mob";
import { until } from "@atoll-run/testkit";
import { openRooms } from "../../src/compose/mob.ts";

const TOML = `[mob]
id = "audit"
members = [{ id = "scout", profile = "scout" }, { id = "auditor", profile = "auditor", count = 4 }, { id = "editor", profile = "editor" }]
edges = [["scout", "@auditor"], ["@auditor", "editor"]]
[profiles.scout]
script = "builtin:audit/scout.lua"
grants = ["fs.read:node_modules"]
[profiles.auditor]
script = "builtin:audit/auditor.lua"
model = "auto"
grants = ["fs.read:node_modules"]
[profiles.editor]
script = "builtin:audit/editor.lua"
model = "auto"
external = true
grants = ["fs.write:atoll-audit"]
[[approvals]]
match = { grant = "fs.write", member = "editor" }
tier = "R3"
[flows.audit.steps]
scan = { role = "scout", message = "{{ params.root }}" }
audit = { role = "auditor", depends_on = ["scan"], dispatch = "share", items = "steps.scan.output.batches", retries = 2 }
report = { role = "editor", depends_on = ["audit"], message = "{{ steps.audit.output }}" }
`;

test("the example of a mob loads as it stands, runs its flow, and writes its report once that is approved", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-example-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of ["left-pad", "is-odd"]) {
    mkdirSync(join(dir, "node_modules", name), { recursive: true });
    writeFileSync(join(dir, "node_modules", name, "package.json"), JSON.stringify({ name, version: "1.0.0", license: "MIT" }));
  }
  writeFileSync(join(dir, "mob.toml"), TOML);
  const definition = await loadMob(join(dir, "mob.toml"));
  assert.deepEqual(definition.members.map(({ id }) => id), ["scout", "auditor-1", "auditor-2", "auditor-3", "auditor-4", "editor"]);
  await using mob = await openRooms({ definition, ephemeral: true });
  const { run_id } = await mob.flows.run({ flow: "audit", params: { root: "node_modules" }, principal: "ann" });
  const open = () => [...mob.view.approvals.values()].filter(({ state }) => state === "open");
  const over = () => mob.view.runs.get(run_id)?.state !== "running";
  while (!over()) {
    await until(() => over() || open().length > 0);
    for (const { id } of open()) await mob.approvals.decide({ id, decision: "approve", principal: "bob", local: false });
  }
  assert.equal(mob.view.runs.get(run_id)?.state, "completed", JSON.stringify(mob.view.runs.get(run_id)?.error));
  const report = readFileSync(join(dir, "atoll-audit", "report.md"), "utf8");
  assert.match(report, /left-pad[^]*|is-odd/);
});
