/** Goal: an agent that dies in the middle of a turn goes on from its session log. Invariant: what it has done is not done again. Method: SIGKILL while its model thinks. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startMockModel, until } from "@atoll-run/testkit";

const CHILD = join(import.meta.dirname, "agent-child.ts");

test("an agent that is killed while its model thinks goes on from its session: no tool runs again, nothing is said again, and what it used is counted once", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "atoll-agent-kill-"));
  const [dir, out] = [join(root, "state"), join(root, "out")];
  mkdirSync(out);
  const usage = { input_tokens: 100, output_tokens: 10 };
  const model = await startMockModel({ script: { turns: [
    { when: { messages: 1 }, reply: { text: "First one.", tool_calls: [{ name: "write_file", input: { path: "one.txt", text: "1" } }], usage } },
    { when: { tool_result: "written" }, broken: "hang" },
    { when: { tool_result: "written" }, reply: { text: "done", usage } },
  ] } });
  const children: ReturnType<typeof start>[] = [];
  const start = () => spawn(process.execPath, [CHILD, dir, model.url, out], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await model.close();
    rmSync(root, { recursive: true, force: true });
  });
  const first = start();
  children.push(first);
  await until(() => model.requests.length === 2, { withinMs: 60_000 });
  assert.equal(readFileSync(join(out, "one.txt"), "utf8"), "1");
  rmSync(join(out, "one.txt"));
  first.kill("SIGKILL");
  await once(first, "close");
  const second = start();
  children.push(second);
  let said = "";
  second.stdout.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  await once(second, "close");
  const { turn_id: _, usage: used, ...rest } = JSON.parse(said) as { turn_id: string; usage: { tokens_in: number; tool_calls: number } };
  assert.deepEqual(rest, { state: "done", output: "done", attempt: 2, kinds: [
    "run_started", "turn_completed", "text_complete", "tool_call_requested", "tool_execution_started", "tool_result_received", "run_started", "turn_completed", "run_completed",
  ] });
  assert.deepEqual([used.tokens_in, used.tool_calls, existsSync(join(out, "one.txt"))], [200, 1, false]);
  const messages = model.requests.map(({ body }) => (body as { messages: { content: unknown }[] }).messages.map(({ content, ...message }) =>
    ({ ...message, content: typeof content === "string" ? [{ type: "text", text: content }] : content })));
  assert.equal(messages.length, 3);
  assert.deepEqual(messages[2], messages[1], "the model is told what it was told before");
});
