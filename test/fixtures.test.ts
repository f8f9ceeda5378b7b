/**
 * Scripts as users of the public agent-block runtime write them, run by the command line (spec: block 3-5).
 *
 * A fixture is `fixtures/lua/NN-name.lua`, titled by its first line, a sentence of the specification, with
 * - `.out`: standard output, byte for byte;
 * - `.err`: one regular expression a line that standard error has; `!` in front: has not;
 * - `.exit`: exit code, 0 without it;
 * - `.args`: flags behind the script, one a line; `.vars`: variables, `NAME=value` a line;
 * - `.term`: a text of standard output on which the program gets SIGTERM;
 * - `.project/`: what is in the project before the run.
 *
 * ATOLL_TEST_BUILT=1 demands the built program, 0 the source; without it the built one is run if it is there.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FIXTURES = fileURLToPath(new URL("fixtures/lua/", import.meta.url));
const BUILT = "build/node_modules/@atoll-run/atoll/bin/atoll.js";
const SOURCE = "packages/atoll/bin/main.ts";
const WANTED = process.env["ATOLL_TEST_BUILT"] ?? (existsSync(join(ROOT, BUILT)) ? "1" : "0");
const PROGRAM = WANTED === "1" ? BUILT : SOURCE;
const COMMAND = [process.execPath, join(ROOT, PROGRAM), "run", "-s"] as const;
/** Far above what any fixture needs on a busy machine: a hanging one is ended, not waited for. */
const RUN_MS_MAX = 60_000;

interface Fixture {
  readonly name: string;
  readonly title: string;
  readonly out: Buffer;
  readonly errors: readonly string[];
  readonly exit: number;
  readonly args: readonly string[];
  readonly vars: Readonly<Record<string, string>>;
  readonly term: string | undefined;
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function readFixture(name: string): Fixture {
  const title = lines(readFileSync(`${FIXTURES}${name}.lua`, "utf8"))[0] ?? "";
  assert.match(title, /^-- [A-Z_a-z].*\.$/, `${name}.lua starts with a sentence`);
  return {
    name, title: title.slice(3), out: readFileSync(`${FIXTURES}${name}.out`),
    errors: lines(sidecar(name, "err") ?? ""), exit: Number(sidecar(name, "exit") ?? "0"),
    args: lines(sidecar(name, "args") ?? ""), term: sidecar(name, "term")?.trimEnd(),
    vars: Object.fromEntries(lines(sidecar(name, "vars") ?? "").map(toPair)),
  };
}

function sidecar(name: string, kind: string): string | undefined {
  const path = `${FIXTURES}${name}.${kind}`;
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function lines(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function toPair(line: string): [string, string] {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1)];
}

/** Runs a fixture in a project of its own, in an environment that holds nothing of this machine but PATH. */
async function run(fixture: Fixture): Promise<Ended> {
  await using stack = new AsyncDisposableStack();
  const place = await realpath(await mkdtemp(join(tmpdir(), "atoll-fixture-")));
  stack.defer(() => rm(place, { recursive: true, force: true }));
  await cp(cache, join(place, "home", "cache"), { recursive: true });
  const project = join(place, "project");
  const prepared = `${FIXTURES}${fixture.name}.project`;
  await mkdir(project);
  if (existsSync(prepared)) await cp(prepared, project, { recursive: true });
  const [program, ...first] = COMMAND;
  const child = spawn(program, [...first, `${FIXTURES}${fixture.name}.lua`, "-p", project, ...fixture.args], {
    cwd: project, stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", HOME: place, ATOLL_HOME: join(place, "home"), ...fixture.vars },
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  stack.defer(() => clearTimeout(timer));
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let mayTerm = fixture.term !== undefined;
  child.stdout.on("data", (chunk: Buffer) => {
    stdout.push(chunk);
    if (!mayTerm || !Buffer.concat(stdout).includes(fixture.term ?? "")) return;
    mayTerm = false;
    child.kill("SIGTERM");
  });
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  return await new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const errors = Buffer.concat(stderr).toString("utf8");
      resolve({ code, signal, stdout: Buffer.concat(stdout), stderr: errors });
    });
  });
}

function check(fixture: Fixture, ended: Ended): void {
  const told = `\n--- standard error of ${fixture.name}:\n${ended.stderr}`;
  if (!ended.stdout.equals(fixture.out)) {
    assert.equal(ended.stdout.toString("utf8"), fixture.out.toString("utf8"), `other standard output${told}`);
    assert.deepEqual(ended.stdout, fixture.out, `other bytes${told}`);
  }
  assert.deepEqual([ended.code, ended.signal], [fixture.exit, null], `other exit code${told}`);
  for (const line of fixture.errors) {
    const isUnwanted = line.startsWith("!");
    const pattern = new RegExp(isUnwanted ? line.slice(1) : line, "m");
    const wrong = `standard error ${isUnwanted ? "has" : "lacks"} ${line}`;
    assert.equal(pattern.test(ended.stderr), !isUnwanted, wrong + told);
  }
}

const names = readdirSync(FIXTURES).filter((file) => /^\d+-.*\.lua$/.test(file)).sort()
  .map((file) => file.slice(0, -".lua".length));
const fixtures = names.map(readFixture);
const isThere = existsSync(join(ROOT, PROGRAM)) || process.env["ATOLL_TEST_BUILT"] === "1";
const skip = isThere ? false : `${PROGRAM} is not there`;

/** A home with the rewritten Lua in it: made by the first run of the program, and copied into the home of each fixture. */
const home = mkdtempSync(join(tmpdir(), "atoll-fixture-home-"));
const cache = join(home, "cache");
after(() => rm(home, { recursive: true, force: true }));
before(async () => {
  if (!isThere) return;
  const [program, ...first] = COMMAND;
  const empty = join(home, "empty.lua");
  await writeFile(empty, "");
  await promisify(execFile)(program, [...first, empty, "-p", home], { env: { HOME: home, ATOLL_HOME: home }, timeout: RUN_MS_MAX });
});

suite(`Lua scripts written for agent-block run unmodified (${PROGRAM})`, { concurrency: 2, skip }, () => {
  for (const fixture of fixtures) {
    test(`${fixture.name}: ${fixture.title}`, async () => check(fixture, await run(fixture)));
  }
});

test("there are at least 70 fixtures, and every sidecar belongs to one", () => {
  assert.ok(fixtures.length >= 70, `${fixtures.length} fixtures`);
  const kinds = /\.(lua|out|err|exit|args|vars|term|project)$/;
  const known = new Set(names);
  const files = readdirSync(FIXTURES).filter((file) => /^\d/.test(file));
  assert.deepEqual(files.filter((file) => !known.has(file.replace(kinds, ""))), []);
});
