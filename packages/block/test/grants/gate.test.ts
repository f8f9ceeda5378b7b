/** Everything a gate decides but the network: paths, programs, variables, peers, and lists inside lists. */
import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createGate } from "../../src/grants/create-gate.ts";
import { type Grants, narrow, parseGrants } from "../../src/grants/parse.ts";
import { folder, gateOf } from "../ops.ts";

/**
 * root: in/ (file.txt, deep/x.json, out -> outside, dangling -> outside/none, loop -> loop), in-other/,
 * outside/ (secret)
 */
async function tree(t: TestContext): Promise<string> {
  const root = await folder(t);
  await mkdir(join(root, "in/deep"), { recursive: true });
  await mkdir(join(root, "in-other"));
  await mkdir(join(root, "outside"));
  await writeFile(join(root, "in/file.txt"), "file");
  await writeFile(join(root, "in/deep/x.json"), "{}");
  await writeFile(join(root, "outside/secret"), "secret");
  await symlink("../outside", join(root, "in/out"));
  await symlink("../outside/secret", join(root, "in/leak"));
  await symlink("../outside/none", join(root, "in/dangling"));
  await symlink("loop", join(root, "in/loop"));
  await symlink("in", join(root, "alias"));
  return root;
}

type Row = readonly [grants: readonly string[], verb: "read" | "write", path: string, allowed: boolean];

const ROWS: readonly Row[] = [
  [["fs.read:in"], "read", "in/file.txt", true],
  [["fs.read:in"], "read", "in", true],
  [["fs.read:in"], "read", "in/not/yet/there", true],
  [["fs.read:in"], "read", "in/./deep/../file.txt", true],
  [["fs.read:in"], "read", "alias/file.txt", true],
  [["fs.read:alias"], "read", "in/file.txt", true],
  [["fs.read:in/**"], "read", "in", true],
  [["fs.read:in/**"], "read", "in/deep/x.json", true],
  [["fs.read:in/*.txt"], "read", "in/file.txt", true],
  [["fs.read:in/**/*.json"], "read", "in/deep/x.json", true],
  [["fs.read:in/*.txt"], "read", "in/deep/x.json", false],
  [["fs.read:in/*"], "read", "in/deep/x.json", false],
  [["fs.read:in"], "read", ".", false],
  [["fs.read:in"], "read", "in-other", false],
  [["fs.read:in"], "read", "in/../in-other", false],
  [["fs.read:in"], "read", "in/../../etc/passwd", false],
  [["fs.read:in"], "read", "/etc/passwd", false],
  [["fs.read:in"], "read", "/proc/self/environ", false],
  [["fs.read:in"], "read", "/proc/self/root/etc/passwd", false],
  [["fs.read:in"], "read", "/proc/self/cwd", false],
  [["fs.read:in"], "read", "in/out", false],
  [["fs.read:in"], "read", "in/out/secret", false],
  [["fs.read:in"], "read", "in/leak", false],
  [["fs.read:in"], "read", "in/dangling", false],
  [["fs.read:in"], "read", "in/dangling/below", false],
  [["fs.read:in"], "read", "in/loop", false],
  [["fs.read:in"], "read", "in/out/../file.txt", true],
  [["fs.read:in"], "write", "in/file.txt", false],
  [["fs.write:in"], "write", "in/new.txt", true],
  [["fs.write:in"], "read", "in/file.txt", true],
  [["fs.write:in"], "write", "in/out/new", false],
  [["fs.write:in"], "write", "in/out", true],
  [["fs.write:in"], "write", "in/deep/../../outside/new", false],
  [["fs.write:in/file.txt"], "write", "in/file.txt.bak", false],
  [["fs.write:in/file.txt"], "write", "in/file.txt", true],
  [["fs.read:in", "fs.read:outside/secret"], "read", "in/leak", true],
  [["fs.read"], "read", "/etc/passwd", true],
  [["fs.read"], "write", "in/file.txt", false],
  [["fs.write"], "write", "in/file.txt", true],
  [[], "read", "in/file.txt", false],
  [["net"], "read", "in/file.txt", false],
];
ROWS.forEach(([grants, verb, path, allowed], index) => {
  test(`${index + 1}: with [${grants.join(", ")}] to ${verb} ${path} is ${allowed ? "allowed" : "denied"}`, async (t) => {
    const gate = gateOf(grants, await tree(t));
    const asked = gate.path(verb, path);
    if (allowed) await asked;
    else await assert.rejects(asked, { code: "grant.denied" });
    assert.equal(gate.denials.length, allowed ? 0 : 1);
  });
});

test("a path is refused with verb, object, reason and the exact grant, which then allows it", async (t) => {
  const root = await tree(t);
  const gate = gateOf(["fs.read:in"], root);
  await assert.rejects(gate.path("read", "outside/secret"), {
    message: `denied: fs.read ${root}/outside/secret (outside the granted paths); needs grant fs.read:${root}/outside/secret`,
  });
  await assert.rejects(gate.path("read", "in/leak"), {
    message: `denied: fs.read ${root}/in/leak (leads to ${root}/outside/secret, outside the granted paths); `
      + `needs grant fs.read:${root}/outside/secret`,
  });
  const wider = gateOf(["fs.read:in", `fs.read:${root}/outside/secret`], root);
  assert.equal(await wider.path("read", "in/leak"), `${root}/outside/secret`);
});

test("a refusal outside the grants does not tell where links lead", async (t) => {
  const root = await tree(t);
  const gate = gateOf(["fs.read:in/deep"], root);
  await assert.rejects(gate.path("read", "in/leak"), (error: Error) => !error.message.includes("secret"));
});

test("a control character in a path does not reach the text of the refusal", async (t) => {
  const gate = gateOf([], await tree(t));
  await assert.rejects(gate.path("read", "/a\nb"), /fs\.read \/a\\x0ab /);
});

test("a link put in the place of a granted root later opens nothing", async (t) => {
  const root = await tree(t);
  const gate = gateOf(["fs.write:later"], root);
  await symlink("outside", join(root, "later"));
  await assert.rejects(gate.path("write", "later/secret"), { code: "grant.denied" });
  await assert.rejects(gate.path("read", "later/secret"), { code: "grant.denied" });
});

test("with all grants every path is allowed and starts at cwd", async (t) => {
  const root = await tree(t);
  const gate = gateOf(undefined, root, { cwd: join(root, "in") });
  assert.equal(await gate.path("read", "leak"), join(root, "in/leak"));
  assert.equal(gate.restricted, false);
});

const PROGRAMS: readonly (
  readonly [grants: readonly string[], program: string | null, detach: boolean, denial: string | undefined]
)[] = [
  [["run"], null, true, undefined],
  [["run:sh"], null, false, undefined],
  [["run:git"], "git", false, undefined],
  [["run:/usr/bin/git"], "/usr/bin/git", false, undefined],
  [["run:/usr/bin/git"], "/usr/bin/../bin/git", false, undefined],
  [["run:sh", "run:detach"], null, true, undefined],
  [[], null, false, "denied: run shell text (not granted); needs grant run:sh"],
  [["run:git"], null, false, "denied: run shell text (not granted); needs grant run:sh"],
  [["run:sh"], "git", false, "denied: run git (program not granted); needs grant run:git"],
  [["run:git"], "/tmp/git", false, "denied: run /tmp/git (program not granted); needs grant run:/tmp/git"],
  [["run:/usr/bin/git"], "git", false, "denied: run git (program not granted); needs grant run:git"],
  [["run:git"], "git", true, "denied: run git (detached, outlives the run); needs grant run:detach"],
];
for (const [grants, program, detach, denial] of PROGRAMS) {
  test(`with [${grants.join(", ")}] ${program ?? "shell text"}${detach ? " detached" : ""} is ${denial ? "denied" : "run"}`, () => {
    const gate = gateOf(grants, "/");
    if (denial === undefined) gate.run(program, detach);
    else assert.throws(() => gate.run(program, detach), { message: denial, code: "grant.denied" });
  });
}

test("a variable that is not granted reads as absent and is told once", () => {
  const gate = gateOf(["env:HOME", "env:LC_*"], "/");
  assert.equal(gate.env("HOME"), true);
  assert.equal(gate.env("LC_ALL"), true);
  assert.equal(gate.env("LC"), false);
  assert.equal(gate.env("HOMER"), false);
  assert.equal(gate.env("HOMER"), false);
  assert.deepEqual(gate.denials.map((denial) => denial.object), ["LC", "HOMER"]);
});

test("peers and tools are granted by name or by *", () => {
  const gate = gateOf(["mesh:friend", "mcp:files/read", "mcp:*/list", "mcp:git/!sampling"], "/");
  gate.mesh("friend");
  assert.throws(
    () => gate.mesh("foe"), { message: "denied: mesh send to foe (peer not granted); needs grant mesh:foe" },
  );
  gate.mcp("files", "read");
  gate.mcp("other", "list");
  gate.mcp("files", "");
  assert.throws(() => gate.mcp("files", "write"), {
    message: "denied: mcp call files/write (tool not granted); needs grant mcp:files/write",
  });
  assert.throws(() => gate.mcp("files", "*"), { code: "grant.denied" });
});

test("!sampling withholds from a server and grants nothing of it", () => {
  const gate = gateOf(["mcp:files/read", "mcp:git/!sampling"], "/");
  assert.equal(gate.mcpWithholds("git", "sampling"), true);
  assert.equal(gate.mcpWithholds("git", "elicitation"), false);
  assert.equal(gate.mcpWithholds("files", "sampling"), false);
  assert.throws(() => gate.mcp("git", ""), {
    message: "denied: mcp call git/* (server not granted); needs grant mcp:git/*",
  });
});

test("secrets pass by grant in both modes", () => {
  assert.equal(gateOf(undefined, "/").secret("PET_TOKEN"), false);
  assert.equal(gateOf(undefined, "/", { secrets: ["PET_TOKEN"] }).secret("PET_TOKEN"), true);
  assert.equal(gateOf(["secret:PET_TOKEN"], "/").secret("PET_TOKEN"), true);
  assert.equal(gateOf(["secret:PET_TOKEN"], "/").secret("OTHER_TOKEN"), false);
  assert.equal(gateOf([], "/").secret("PET_TOKEN"), false);
});

function grantsOf(list: readonly string[]): Grants {
  const read = parseGrants(list);
  assert.ok(read.ok);
  return read.grants;
}

test("a child list narrows its parent's and never widens it", async (t) => {
  const root = await tree(t);
  const grants = narrow(
    grantsOf(
      ["fs.read:in", "net:example.com", "run:git", "env:A*"],
    ), grantsOf(["fs.read", "net", "run", "env"]),
  );
  const gate = createGate({ grants, projectRoot: root, cwd: root });
  await gate.path("read", "in/file.txt");
  await assert.rejects(gate.path("read", "outside/secret"), { code: "grant.denied" });
  gate.url(new URL("https://example.com/"));
  assert.throws(() => gate.url(new URL("https://other.example/")), { code: "grant.denied" });
  assert.throws(() => gate.run(null, false), { code: "grant.denied" });
  assert.equal(gate.env("AB"), true);
  assert.equal(gate.env("B"), false);
  const narrower = createGate(
    { grants: narrow(grants, grantsOf(["fs.read:in/deep"])), projectRoot: root, cwd: root },
  );
  await narrower.path("read", "in/deep/x.json");
  await assert.rejects(narrower.path("read", "in/file.txt"), { code: "grant.denied" });
  assert.throws(() => narrower.url(new URL("https://example.com/")), { code: "grant.denied" });
});
