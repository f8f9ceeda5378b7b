/** A definition in files: whole, with lines, each section in one place. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { loadMob } from "@atoll-run/atoll/mob";
import { isFault } from "@atoll-run/core";
import type { Problem } from "@atoll-run/mob";

const GOOD = `[mob]
id = "audit"
members = [
  { id = "scout", profile = "scout" },
  { id = "auditor", profile = "auditor", count = 4 },
]
edges = [["scout", "@auditor"]]
[profiles.scout]
script = "scout.lua"
idle_after = "30s"
[profiles.auditor]
script = "builtin:audit/auditor.lua"
[flows.audit.steps]
scan = { role = "scout", message = "{{ params.root }}", timeout = 2000 }
`;
const APPROVALS = `[[approvals]]
match = { grant = "fs.write" }
tier = "R3"
timeout = "5m"
`;

/** Files by name; gives the path of mob.toml. */
function files(t: TestContext, texts: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-load-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(dir, name), text);
  return join(dir, "mob.toml");
}

async function problemsOf(path: string): Promise<readonly string[]> {
  const error: unknown = await loadMob(path).then(() => undefined, (fault: unknown) => fault);
  assert.ok(isFault(error) && error.code === "mob.definition_invalid", String(error));
  return (error.facts["problems"] as readonly Problem[]).map(({ path: of, file = "", line }) => `${file.split("/").at(-1) ?? ""}:${line ?? ""} ${of}`).sort();
}

test("a file and what stands beside it become one frozen definition that knows where it comes from", async (t) => {
  const path = files(t, { "mob.toml": GOOD, "approvals.toml": APPROVALS, "scout.lua": "" });
  const made = await loadMob(path);
  assert.deepEqual([made.members.length, made.source, made.profiles["scout"]?.idle_after_ms], [5, path, 30_000]);
  assert.deepEqual([made.approvals[0]?.timeout_ms, made.flows["audit"]?.steps["scan"]?.timeout_ms], [300_000, 2_000]);
  assert.ok(Object.isFrozen(made.profiles["scout"]));
});

test("every error of every file is told at once, each with its file and line", async (t) => {
  const wrong = GOOD.replace("idle_after", "idle_afer").replace("@auditor", "@auditr").replace("timeout = 2000", "timeout = \"soon\"")
    + `[[approvals]]\nmatch = { grant = "net" }\ntier = "R2"\n`;
  const path = files(t, { "mob.toml": wrong, "approvals.toml": APPROVALS, "schedules.toml": "x = 1\n[schedules.nightly]\ncron = \"* * * * *\"\n" });
  assert.deepEqual(await problemsOf(path), [
    "approvals.toml:1 approvals", "mob.toml:10 profiles.scout.idle_afer", "mob.toml:14 flows.audit.steps.scan.timeout", "mob.toml:7 mob.edges[0][1]",
    "mob.toml:9 profiles.scout.script", "schedules.toml:1 x", "schedules.toml:2 schedules",
  ]);
});

test("a file that is not there, or is not TOML, is told alone", async (t) => {
  const path = files(t, { "approvals.toml": APPROVALS });
  assert.deepEqual(await problemsOf(path), ["mob.toml: the file"]);
  writeFileSync(path, "[mob]\nid = \n");
  assert.deepEqual(await problemsOf(path), ["mob.toml:2 the file"]);
});
