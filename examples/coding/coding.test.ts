// The coding agent on a copy of its project, with a scripted model and no more grants than it needs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readMockScript, startMockModel } from "@atoll-run/testkit";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ATOLL = join(HERE, "../../packages/atoll/bin/main.ts");
const folder = mkdtempSync(join(tmpdir(), "atoll-coding-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const project = join(folder, "project");
cpSync(join(HERE, "project"), project, { recursive: true });

const script = readMockScript(readFileSync(join(HERE, "model.json"), "utf8"));
assert.ok(script.ok);
const model = await startMockModel({ script: script.script });
after(() => model.close());

interface End {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function coding(args: readonly string[]): Promise<End> {
  const grants = ["model", "fs.write:.", "run:node"].flatMap((grant) => ["--grant", grant]);
  const child = spawn(process.execPath, [ATOLL, "run", "--restricted", ...grants, "-p", project, "-s", join(HERE, "coding.lua"), ...args], {
    cwd: folder, timeout: 60_000, stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`, HOME: join(folder, "home"),
      ANTHROPIC_API_KEY: "sk-scripted", ANTHROPIC_BASE_URL: model.url,
    },
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (err += text));
  const code = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  return { code, out, err };
}

test("the agent edits the project until its check passes", async () => {
  const { code, out, err } = await coding(["--prompt", "Make the check pass."]);
  assert.equal(code, 0, err);
  assert.equal(out, [
    "check 1 of 5 fails", "check 2 of 5 passes",
    "parseDuration now reads hours, minutes and seconds; the check passes.", "",
  ].join("\n"));
  const { parseDuration } = await import(join(project, "duration.mjs")) as { parseDuration(text: string): number };
  assert.equal(parseDuration("2h 5s"), 7_205_000);
  assert.equal(model.count, 6);
});

test("a next prompt goes on from the conversation", async () => {
  const { code, out, err } = await coding(["--prompt", "What did you do?"]);
  assert.equal(code, 0, err);
  assert.equal(out, "I rewrote parseDuration.\n");
  assert.equal(model.left(), 0);
});

test("without a prompt or a check it says what is missing, and exits with 2", async () => {
  const silent = await coding([]);
  assert.equal(silent.code, 2);
  assert.match(silent.err, /say what to do: --prompt/);
  const aimless = await coding(["--prompt", "x", "--", "missing.mjs"]);
  assert.equal(aimless.code, 2);
  assert.match(aimless.err, /there is no missing\.mjs in /);
});
