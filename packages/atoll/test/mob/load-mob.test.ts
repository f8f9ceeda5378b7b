/** A definition in files: whole, with lines, each section in one place. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { loadMob } from "@atoll-run/atoll/mob";
import { isFault } from "@atoll-run/core";
import fc from "fast-check";
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

test("a file that a profile or a member names is there, and a script that comes along is one that there is", async (t) => {
  const path = files(t, { "lead.md": "", "mob.toml": `[mob]
id = "audit"
members = [
  { id = "a", profile = "p", instructions = ["x", { file = "gone-a.md" }] },
]
[profiles.p]
script = "builtin:audit/scuot.lua"
[profiles.q]
agent = true
system = { file = "lead.md" }
instructions = [{ file = "gone-b.md" }]
skills = [
  "x",
  { file = "gone-c.md" },
]
` });
  const error: unknown = await loadMob(path).catch((fault: unknown) => fault);
  assert.ok(isFault(error));
  assert.deepEqual((error.facts["problems"] as readonly Problem[]).map(({ line, text, hint }) => `${line} ${text.replaceAll(`${dirname(path)}/`, "")} ${hint ?? ""}`), [
    "4 there is no file gone-a.md ", "7 there is no script \"builtin:audit/scuot.lua\" did you mean \"builtin:audit/scout.lua\"?", "11 there is no file gone-b.md ",
    "14 there is no file gone-c.md ",
  ]);
});

test("a section may stand beside the file or in it; one that is for later is refused with a sentence that names it, wherever it stands", async (t) => {
  const path = files(t, {
    "mob.toml": `${GOOD}[http]\nport = 1\n[routes.x]\nrecipient = "a"\n`, "scout.lua": "",
    "schedules.toml": "[schedules.nightly]\ncron = \"30 2 * * *\"\n", "contacts.toml": "[contacts]\nbeta = \"inproc\"\n", "console.toml": "[console]\n",
    "access.toml": "[access]\nadmins = [\"ann\"]\n",
  });
  const error: unknown = await loadMob(path).catch((fault: unknown) => fault);
  assert.ok(isFault(error));
  const said = (error.facts["problems"] as readonly Problem[]).map(({ file = "", line, text }) => `${file.split("/").at(-1)}:${line} ${text}`);
  assert.deepEqual(said.toSorted().map((one) => one.split(": ")[0]), [
    "console.toml:1 console is for a later version", "contacts.toml:1 contacts is for a later version", "mob.toml:15 http says where and how the mob runs",
    "mob.toml:17 routes is for a later version", "schedules.toml:1 schedules is for a later version",
  ]);
  const both = files(t, { "mob.toml": `${GOOD}[access]\nadmins = ["bob"]\n`, "scout.lua": "", "access.toml": "[access]\nadmins = [\"ann\"]\n" });
  assert.deepEqual(await problemsOf(both), ["access.toml:1 access"]);
  const alone = files(t, { "mob.toml": GOOD, "scout.lua": "", "access.toml": "[access]\nadmins = [\"ann\"]\n" });
  assert.deepEqual((await loadMob(alone)).access?.admins, ["ann"]);
});

test("any text is a definition, or is refused with all that is wrong: the reader never falls over", async (t) => {
  const path = files(t, { "mob.toml": "", "scout.lua": "" });
  const words = ["[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\n", " ", "#", "\"", "'", "\"\"\"", "1", "-1", "1e400", "nan", "true", "2020-01-01", "é", "\u0000", "\\",
    "mob", "id", "members", "profiles", "profile", "p", "flows", "steps", "edges", "approvals", "match", "access", "limits", "__proto__", "constructor", "script", "\"x\"", "@p"];
  const soup = fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((all) => all.join(""));
  const cut = fc.tuple(fc.nat(GOOD.length), fc.nat(30), soup).map(([from, length, put]) => GOOD.slice(0, from) + put + GOOD.slice(from + length));
  const deep = fc.tuple(fc.nat(2), fc.constantFrom(70, 700, 20_000)).map(([how, n]) =>
    [`${"a.".repeat(n)}a = 1`, `x = ${"[".repeat(n)}${"]".repeat(n)}`, `x = ${"{a=".repeat(n)}1${"}".repeat(n)}`][how] as string);
  await fc.assert(fc.asyncProperty(fc.oneof({ weight: 8, arbitrary: cut }, { weight: 4, arbitrary: soup }, { weight: 1, arbitrary: deep }), async (text) => {
    writeFileSync(path, text);
    const error: unknown = await loadMob(path).then(() => undefined, (fault: unknown) => fault);
    if (error === undefined) return;
    assert.ok(isFault(error) && error.code === "mob.definition_invalid", String(error));
    const lines = text.split("\n").length;
    for (const { line = 1, text: said } of error.facts["problems"] as readonly Problem[]) assert.ok(line >= 1 && line <= lines && said.length > 0, `${line} of ${lines}`);
  }), { numRuns: 400 });
});

test("a file that is not there, or is not TOML, is told alone", async (t) => {
  const path = files(t, { "approvals.toml": APPROVALS });
  assert.deepEqual(await problemsOf(path), ["mob.toml: the file"]);
  writeFileSync(path, "[mob]\nid = \n");
  assert.deepEqual(await problemsOf(path), ["mob.toml:2 the file"]);
});
