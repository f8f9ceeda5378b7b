// Goal: the demo audits what is installed, asks before it writes, and goes on after a kill. Invariant: same input, same bytes,
// one run however often it is killed. Method: the program in processes of its own, a ledger that is read afterwards.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { openState } from "@atoll-run/sqlite";
import { PROGRAM } from "../support/cli.ts";
import { makeProject } from "./fixture.ts";
import { reportIn, runDemo } from "./run-demo.ts";

const folder = makeProject();
after(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  totals: { packages: number; names: number };
  duplicates: { name: string; versions: string }[];
  unusual_licences: { path: string; licence: string }[];
  install_scripts: { path: string; command: string; file: string; risky: string }[];
  native: { path: string; file: string }[];
  locked: { path: string; locked: string }[];
  engines: { engine: string; packages: number }[];
  scores: { path: string; score: number }[];
  broken: { path: string; reason: string }[];
}

test("the demo finds versions, licences, install scripts, native binaries, what is locked otherwise, and broken packages", async () => {
  const { code, out, err } = await runDemo({ folder, args: ["--out", "first", "--state", "state-1"] });
  assert.equal(code, 0, err);
  assert.match(out, /^9 packages, .*\nreport: .*first\/report\.md\ndata: {3}.*first\/report\.json$/m);
  assert.match(out, /^no summary in prose: with ANTHROPIC_API_KEY or OPENAI_API_KEY in the environment a model writes one$/m);
  assert.match(err, /^no terminal: decides as --yes does, as principal local$/m);
  assert.match(err, /^scout: 9 packages in 1 batches\nauditors: 1 of 1 batches$/m);
  const [markdown, json] = reportIn(folder, "first");
  const report = JSON.parse(json) as Report;
  assert.equal(report.totals.packages, 9);
  assert.deepEqual(report.duplicates.map((d) => [d.name, d.versions]), [["plain", "0.9.0, 1.0.0"]]);
  assert.deepEqual(report.unusual_licences.map((l) => [l.path, l.licence]), [["strict", "SSPL-1.0"], ["unlicensed", "(none)"]]);
  assert.deepEqual(report.install_scripts.map((s) => [s.path, s.command, s.file, s.risky]), [["nest", "node setup.js --all", "setup.js", "starts programs"]]);
  assert.deepEqual(report.native.map((n) => `${n.path}/${n.file}`), ["native/bin/program", "native/lib.node"]);
  assert.deepEqual(report.locked.map((l) => [l.path, l.locked]), [
    ["broken", "not in the lock file"], ["moved", "locked as 2.0.0"], ["unlicensed", "no checksum"],
  ]);
  assert.deepEqual(report.engines.map(({ engine, packages }) => [engine, packages]), [[">=20", 1]]);
  assert.deepEqual(report.broken.map((b) => b.path), ["broken"]);
  assert.match(report.broken[0]?.reason ?? "", /json\.decode/);
  assert.deepEqual(report.scores.map(({ path, score }) => [path, score]), [["nest", 50], ["broken", 40], ["moved", 25], ["unlicensed", 25]]);
  assert.match(markdown, /^\| nest \| 1\.0\.0 \| 50 \|$/m);
});

test("killed and started again it goes on with the same run, and the report has the same bytes", async () => {
  const args = ["--out", "killed", "--state", "state-2", "--yes"];
  for (const moment of ["scout: 9", "approved as local"]) {
    const { code } = await runDemo({ folder, args, hear: (child, said) => {
      if (said.includes(moment)) child.kill("SIGKILL");
    } });
    assert.equal(code, null, `killed at ${moment}`);
  }
  const { code, out, err } = await runDemo({ folder, args: [...args, "--json"] });
  assert.equal(code, 0, err);
  const { written, run_id } = JSON.parse(out) as { written: boolean; run_id: string };
  assert.deepEqual(reportIn(folder, "killed"), reportIn(folder, "first"));
  await using store = await openState({ dir: join(folder, "state-2") });
  const entries = (await store.journal("ledger", { after: 0, limit: 1_000 })).map(({ body }) => JSON.parse(body) as { kind: string; run_id?: string; principal?: string });
  const kinds = entries.map(({ kind }) => kind);
  assert.deepEqual([written, entries.filter(({ kind }) => kind === "flow_started").map((entry) => entry.run_id)], [true, [run_id]]);
  assert.equal(kinds.filter((kind) => kind === "flow_completed").length, 1);
  assert.equal(entries.filter(({ kind }) => kind === "approval_decided").every(({ principal }) => principal === "local"), true);
});

test("a wrong folder gets a clear error and exit 2", async () => {
  const missing = await runDemo({ folder, args: ["another"] });
  assert.deepEqual([missing.code, /another.*one folder at a time/.test(missing.err)], [2, true], missing.err);
  mkdirSync(join(folder, "empty/project"), { recursive: true });
  const bare = await runDemo({ folder: join(folder, "empty") });
  assert.deepEqual([bare.code, /'?project'?.*has no node_modules/.test(bare.err)], [2, true], bare.err);
});

const hasScript = spawnSync("script", ["--version"]).status === 0;

/** On a terminal of its own, where somebody types when he is asked. */
async function onTerminal(typed: string): Promise<{ readonly code: number | null; readonly said: string }> {
  const command = `'${process.execPath}' '${PROGRAM}' mob demo project --out asked --state state-3`;
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    cwd: folder, stdio: ["pipe", "pipe", "inherit"], timeout: 60_000, env: { PATH: process.env["PATH"] ?? "", HOME: join(folder, "home"), TERM: "dumb" },
  });
  let [said, asked] = ["", false];
  child.stdout.on("data", (bytes: Buffer) => {
    said += bytes.toString();
    if (asked || !said.includes("[y/N]")) return;
    asked = true;
    child.stdin.write(typed);
  });
  const [code] = await once(child, "close") as [number | null];
  return { code, said };
}

test("on a terminal it shows the report and asks, again when nobody has answered; what is refused is not written",
  { skip: hasScript ? false : "there is no script(1) to make a terminal with" }, async () => {
    const silent = await onTerminal("\u0004");
    assert.equal(silent.code, 75, silent.said);
    assert.match(silent.said, /The editor asks to write .*asked\/report\.md/);
    assert.match(silent.said, /\| # Audit of installed packages/);
    assert.match(silent.said, /Write it\? \[y\/N\]/);
    assert.match(silent.said, /not written: nobody has decided/);
    const { code, said } = await onTerminal("n\r");
    assert.equal(code, 75, said);
    assert.match(said, /goes on with the audit [^]*The editor asks to write .*asked\/report\.md[^]*not written, the report is a draft/);
    assert.equal(existsSync(join(folder, "asked/report.md")), false);
  });
