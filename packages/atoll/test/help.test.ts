/** Help, version and completion. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { COMMANDS } from "../bin/program/table.ts";
import { atoll, place } from "./support/cli.ts";

test("--version prints the version of the package", async (t) => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string };
  for (const flag of ["--version", "-V"]) {
    const { code, stdout, stderr } = await atoll(place(t), [flag]);
    assert.deepEqual([code, stdout, stderr], [0, `atoll ${version}\n`, ""]);
  }
});

test("--help is everywhere, with examples and exit codes", async (t) => {
  const at = place(t);
  const all = await atoll(at, ["--help"]);
  for (const command of COMMANDS) {
    assert.match(all.stdout, new RegExp(`^  ${command.name} +${command.what.slice(0, 20)}`, "m"));
    for (const args of [[command.name, "--help"], [command.name, "-h"], ["help", command.name]]) {
      const { code, stdout, stderr } = await atoll(at, args);
      assert.deepEqual([code, stderr], [0, ""], args.join(" "));
      for (const part of [`Usage: atoll ${command.name}`, "Examples:", "Exit codes:",
        ...command.flags.map(({ name }) => `--${name}`)]) {
        assert.ok(stdout.includes(part), `${args.join(" ")} lacks ${part}`);
      }
      for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
    }
  }
});

test("help of one verb tells of it alone: its arguments, its flags, its examples", async (t) => {
  const at = place(t);
  const { code, stdout } = await atoll(at, ["mob", "send", "--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: atoll mob send MEMBER TEXT \[FLAGS\]\n\nGive a turn/);
  for (const own of ["--wait", "--as-json", "--state", "--json", "atoll mob send scout", "Exit codes:"]) assert.ok(stdout.includes(own), own);
  for (const other of ["--follow", "--dry-run", "--port", "Verbs", "atoll mob up"]) assert.ok(!stdout.includes(other), other);
  assert.equal((await atoll(at, ["mob", "nothing", "--help"])).stdout, (await atoll(at, ["mob", "--help"])).stdout);
});

test("a flag that is for other verbs is refused, and says for which it is", async (t) => {
  const { code, stderr } = await atoll(place(t), ["mob", "status", "--follow", "--wait"]);
  assert.equal(code, 2);
  assert.match(stderr, /--wait: is not for atoll mob status \(it is for send, flow\)\n.*--follow: is not for atoll mob status \(it is for tail\)\nUsage: atoll mob status \[FLAGS\]\nTry 'atoll mob status --help'/);
});

test("help that nobody reads to its end is no error", async (t) => {
  const at = place(t);
  const piped = spawnSync(
    "sh", ["-c", `"$0" "$1" run --help | head -n 1`, process.execPath,
    new URL("../bin/main.ts", import.meta.url).pathname], {
    cwd: at.cwd, encoding: "utf8",
  });
  assert.deepEqual([piped.stdout, piped.stderr], ["Usage: atoll run [FLAGS] SCRIPT [-- ARGS…]\n", ""]);
});

test("completion prints a script for bash, zsh and fish that names every command and flag", async (t) => {
  const at = place(t);
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout, stderr } = await atoll(at, ["completion", shell]);
    assert.deepEqual([code, stderr], [0, ""]);
    for (const { name, flags } of COMMANDS) for (
      const word of [name, ...flags.map((flag) => flag.name)]) assert.ok(
      stdout.includes(word), `${shell}: ${word}`);
    const parsed = hasShell(shell) ? spawnSync(shell, ["-n"], { input: stdout, encoding: "utf8" })
      : undefined;
    assert.equal(parsed?.status ?? 0, 0, parsed?.stderr);
  }
  const wrong = await atoll(at, ["completion", "tcsh"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /tcsh: name one of bash, zsh, fish/);
});

test("completion in bash offers commands, flags, words and files",
  { skip: hasShell("bash") ? false : "there is no bash" }, async (t) => {
  const at = place(t);
  at.file("agent.lua", "");
  const { stdout } = await atoll(at, ["completion", "bash"]);
  const offers = (...words: string[]): string[] => {
    const script = `${stdout}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _atoll; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["-c", script, "bash", ...words], { cwd: at.cwd, encoding: "utf8" })
      .split("\n").filter((word) => word !== "");
  };
  assert.deepEqual(offers("atoll", "do"), ["doctor"]);
  assert.deepEqual(offers("atoll", "run", "--prom"), ["--prompt", "--prompt-file"]);
  assert.deepEqual(offers("atoll", "run", "--log-format", ""), ["pretty", "json"]);
  assert.deepEqual(offers("atoll", "run", "ag"), ["agent.lua"]);
  assert.deepEqual(offers("atoll", "run", "--script", "ag"), ["agent.lua"]);
  assert.deepEqual(offers("atoll", "completion", "z"), ["zsh"]);
});

function hasShell(name: string): boolean {
  return spawnSync(name, ["--version"]).status === 0;
}
