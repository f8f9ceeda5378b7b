import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { atoll, place, runScript } from "./support/cli.ts";

interface Report {
  readonly ok: boolean;
  readonly findings: { name: string; ok: boolean; text: string; fix?: string; facts?: Record<string,
    unknown> }[];
}

function home(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "atoll-doctor-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function report(
  t: TestContext, args: readonly string[], env: Record<string, string | undefined>): Promise<Report & {
  code: number | null }> {
  const { code, stdout } = await atoll(place(t), ["doctor", "--json", ...args], { env });
  return { ...JSON.parse(stdout) as Report, code };
}

test("doctor tells versions, the disk's fsync, home, cache and hidden secrets, and changes nothing",
  async (t) => {
  const path = home(t);
  const { code, ok, findings } = await report(t, [], { ATOLL_HOME: path, PET_TOKEN: "x", MAX_TOKENS: "5" });
  assert.deepEqual([code, ok], [0, true]);
  const of = (name: string): Report["findings"][number] | undefined => findings
    .find((finding) => finding.name === name);
  assert.match(of("atoll")?.text ?? "", /^\d+\.\d+\.\d+/);
  assert.equal(of("node")?.facts?.["version"], process.versions.node);
  assert.equal(of("sqlite")?.text, process.versions.sqlite);
  assert.deepEqual([of("lua")?.ok, of("lua")?.facts?.["cache"]], [true, "empty, made at the next run"]);
  assert.ok(Number(of("disk")?.facts?.["median_ms"]) > 0);
  assert.deepEqual(of("home")?.facts, { path, exists: true });
  assert.deepEqual(of("secrets")?.facts, { hidden: ["PET_TOKEN"] });
  assert.deepEqual(readdirSync(path), []);
});

test("doctor says what is missing and how to get it, exit 1", async (t) => {
  const none = await report(t, [], { ATOLL_HOME: undefined, HOME: undefined });
  assert.deepEqual([none.code, none.ok], [1, false]);
  const [missing] = none.findings.filter(({ ok }) => !ok);
  assert.deepEqual([missing?.name, missing?.fix], ["home", "Set ATOLL_HOME to a folder that you may write."]);
  const path = home(t);
  writeFileSync(join(path, "kv.sqlite"), "no database at all");
  const broken = await report(t, [], { ATOLL_HOME: path, ATOLL_ZEBRA: "1" });
  assert.deepEqual(broken.findings.filter(({ ok }) => !ok).map(({ name, text }) => [name, text]), [
    ["std.kv", `${join(path, "kv.sqlite")} is not a SQLite file`],
    ["settings", "ATOLL_ZEBRA: there is no such setting"],
  ]);
});

test("doctor finds a home below a file, and says where", async (t) => {
  const path = home(t);
  writeFileSync(join(path, "file"), "");
  const { code, findings } = await report(t, [], { ATOLL_HOME: join(path, "file", "below") });
  assert.equal(code, 1);
  assert.deepEqual(findings.filter(({ ok }) => !ok).map(({ name, text }) => [name, text]), [
    ["home", `${join(path, "file")} is not a folder`], ["disk", `${join(path, "file")}: Not a directory`],
  ]);
});

test("doctor knows the cache that a run left, and the stores", async (t) => {
  const path = home(t);
  const ran = await runScript(place(t), "std.kv.set('n', 'k', 1)", [], { env: { ATOLL_HOME: path } });
  assert.equal(ran.code, 0, ran.stderr);
  const { ok, findings } = await report(t, [], { ATOLL_HOME: path });
  assert.ok(ok);
  assert.equal(findings.find(({ name }) => name === "lua")?.facts?.["cache"], "ready");
  assert.match(findings.find(({ name }) => name === "std.kv")?.text ?? "", /kv\.sqlite, \d+ KiB$/);
});

test("doctor checks a grants file", async (t) => {
  const at = place(t);
  at.file("good.toml", "grants = ['net:example.com', 'run:git']");
  at.file("bad.toml", "grants = ['fly']");
  const good = await atoll(at, ["doctor", "--grants", "good.toml"]);
  assert.equal(good.code, 0);
  assert.match(good.stdout, /^ok +grants +net:example\.com, run:git$/m);
  const bad = await atoll(at, ["doctor"], { env: { ATOLL_GRANTS: "bad.toml" } });
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /^missing +grants +bad\.toml:1: ATOLL_GRANTS: grant "fly" has the unknown verb/m);
});

test("doctor refuses wrong flags with exit 2", async (t) => {
  const { code, stderr } = await atoll(place(t), ["doctor", "--jsn", "extra"]);
  assert.equal(code, 2);
  assert.match(stderr, /--jsn: there is no such flag \(did you mean --json\?\)/);
  assert.match(stderr, /extra: atoll doctor takes flags only/);
});
