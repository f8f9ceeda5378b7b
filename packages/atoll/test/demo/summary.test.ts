// Goal: with a model key auditors add a second opinion and the editor puts a summary on top; without one, or when the model fails, it is said and the report stays the same.
// Method: a recorded run, answered by the mock model. UPDATE_RECORDING=1 records it again, from the script below.
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type MockScript, readRecording, RECORDING_HEAD, startMockModel, until,
} from "@atoll-run/testkit";
import { makeProject } from "./fixture.ts";
import { type Ended, reportIn, runDemo } from "./run-demo.ts";

const RECORDING = fileURLToPath(new URL("summary.recording.jsonl", import.meta.url));
const KEY = "sk-key-of-the-test-0001";
const folder = makeProject();
after(() => rmSync(folder, { recursive: true, force: true }));

const SUMMARY = "**nest** runs `setup.js` when it is installed: read that file first. `strict` has the licence SSPL-1.0 and "
  + "`unlicensed` has none, so nobody may use it. The manifest of `broken` cannot be read.\n\nThe others have usual licences.";
const REASON = "setup.js starts a program | and does nothing else.";

/** What a model said, when the run was recorded: to the auditor, then to the editor. */
const SAID: MockScript = { turns: [
  { when: { tool: "give_opinion", messages: 1, text: "postinstall: node setup.js --all (file setup.js), which starts programs" }, reply: { tool_calls: [
    { name: "read_file", input: { file: "setup.js" } }, { name: "read_file", input: { file: "../plain/package.json" } }] } },
  { when: { tool_result: "only files of the package" }, reply: { tool_calls: [
    { name: "give_opinion", input: { verdict: "questionable", reason: REASON } }] } },
  { when: { tool_result: "noted" }, reply: { text: "Done." } },
  { when: { tool: "list", text: "list second_opinions: 1 rows" }, reply: { text: "Install scripts first.", tool_calls: [
    { name: "list", input: { name: "install_scripts" } }, { name: "list", input: { name: "unusual_licences" } }] } },
  { when: { tool_result: "node setup.js --all" }, reply: { tool_calls: [
    { name: "package", input: { path: "nest" } }, { name: "package", input: { path: "nowhere" } }] } },
  { when: { tool_result: "no package at this path" }, reply: { text: SUMMARY } },
] };

const OPINIONS = `
## Second opinions

| Package | Version | Verdict | Why |
|---|---|---|---|
| nest | 1.0.0 | questionable | ${REASON.replace("|", "\\|")} |
`;

function audit(output: string, env: Record<string, string>): Promise<Ended> {
  return runDemo({ folder, args: ["--yes", "--out", output, "--state", `state-${output}`], env });
}

function withModel(output: string, url: string): Promise<Ended> {
  return audit(output, { ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: url });
}

async function record(): Promise<void> {
  await using model = await startMockModel({ script: SAID });
  const lines = [RECORDING_HEAD];
  await using recorder = await startMockModel({
    record: { upstream: model.url, save: (exchange) => void lines.push(JSON.stringify(exchange)) },
  });
  const { code, err } = await withModel("recorded", recorder.url);
  assert.equal(code, 0, err);
  await until(() => lines.length === SAID.turns.length + 1);
  writeFileSync(RECORDING, `${lines.join("\n")}\n`);
}

test("with a model key auditors read what is rated high and the editor puts a summary on top, as it was recorded", async () => {
  if (process.env["UPDATE_RECORDING"] === "1") await record();
  const text = readFileSync(RECORDING, "utf8");
  assert.ok(!text.includes(KEY));
  const read = readRecording(text);
  assert.ok(read.ok);
  await using model = await startMockModel({ replay: { exchanges: read.exchanges, match: "order" } });
  const { code, out, err } = await withModel("with", model.url);
  assert.equal(code, 0, err);
  assert.match(out, /^a summary in prose stands on top$/m);
  const [markdown] = reportIn(folder, "with");
  assert.ok(markdown.startsWith(`# Audit of installed packages\n\n${SUMMARY}\n\n`), markdown.slice(0, 500));
  assert.ok(markdown.includes(OPINIONS));
  assert.equal(model.left(), 0);
  // What the tools found goes to the model as it did when the run was recorded.
  const messages = (body: unknown): unknown => (body as { messages: unknown }).messages;
  assert.deepEqual(messages(model.requests.at(-1)?.body), messages(read.exchanges.at(-1)?.request.body));
  assert.ok(!(out + err).includes(KEY));
});

test("the rest of the report is the same with and without a model, and one that fails is only told", async () => {
  await using model = await startMockModel({ script: { turns: [{ error: { status: 401 }, times: "any" }] } });
  const failed = await withModel("failed", model.url);
  assert.equal(failed.code, 0, failed.err);
  assert.match(failed.out, /^no summary in prose: .*401.*\nnot all second opinions: .*401/m);
  const [markdown, json] = reportIn(folder, "failed");
  const [withSummary, same] = reportIn(folder, "with");
  const { second_opinions, ...rest } = JSON.parse(same) as { second_opinions: unknown };
  assert.deepEqual(second_opinions, [{ path: "nest", name: "nest", version: "1.0.0", verdict: "questionable", reason: REASON }]);
  assert.deepEqual(JSON.parse(json), rest);
  assert.equal(withSummary.replace(`${SUMMARY}\n\n`, "").replace(OPINIONS, ""), markdown);
});
