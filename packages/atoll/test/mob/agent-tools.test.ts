/** Goal: a model is told of what it may use. Invariant: what the step of a flow takes away is neither offered nor done. Method: what stands on the wire to a model that plays a part. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defineMob, Mob } from "@atoll-run/atoll/mob";
import { startMockModel } from "@atoll-run/testkit";

const ALL = [
  "read_file", "list_files", "write_file", "run_command", "http_get", "mob_members", "mob_send", "mob_request", "mob_spawn", "mob_retire", "mob_wake", "mob_note", "mob_run_flow",
];
const STEPS: Readonly<Record<string, { readonly step: { readonly allow_tools?: readonly string[]; readonly block_tools?: readonly string[] }; readonly told: readonly string[] }>> = {
  plain: { step: {}, told: ALL },
  by_name: { step: { block_tools: ["write_file", "run_*"] }, told: ALL.filter((name) => name !== "write_file" && name !== "run_command") },
  by_verb: { step: { block_tools: ["fs.*", "net"] }, told: ALL.filter((name) => !["read_file", "list_files", "write_file", "http_get"].includes(name)) },
  by_function: { step: { block_tools: ["std.fs.write", "mob.flow.run"] }, told: ALL.filter((name) => name !== "write_file" && name !== "mob_run_flow") },
  only: { step: { allow_tools: ["read_file", "mob.s*"] }, told: ["read_file", "mob_send", "mob_spawn"] },
  both: { step: { allow_tools: ["mob"], block_tools: ["mob_send"] }, told: ALL.filter((name) => name.startsWith("mob_") && name !== "mob_send") },
  none: { step: { block_tools: ["*"] }, told: [] },
};

test("a model of a standard agent is told of the tools that the step of its turn leaves, and of all in other turns", async (t) => {
  const out = mkdtempSync(join(tmpdir(), "atoll-agent-tools-"));
  const model = await startMockModel({ script: { turns: [
    { when: { text: "write" }, reply: { tool_calls: [{ name: "write_file", input: { path: join(out, "x.txt"), text: "x" } }] } },
    { when: { tool_result: "not found" }, reply: { text: "it is not there" } },
    { times: "any", reply: { text: "seen" } },
  ] } });
  t.after(async () => {
    await model.close();
    rmSync(out, { recursive: true });
  });
  const definition = defineMob({
    mob: { id: "tools", members: [{ id: "ann", profile: "agent" }] },
    profiles: { agent: { agent: true, model: "auto", grants: [`fs.write:${out}`, "run:*", "net:*", "mob"] } },
    flows: {
      ...Object.fromEntries(Object.entries(STEPS).map(([name, { step }]) => [name, { steps: { ask: { member: "ann", message: name, dispatch: "one_to_one", ...step } } }])),
      writes: { steps: { ask: { member: "ann", message: "write", dispatch: "one_to_one", block_tools: ["write_file"] } } },
    },
  });
  await using mob = await Mob.start({ definition, ephemeral: true, root: out, variables: { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: model.url } });
  const told = (): readonly string[] => ((model.requests.at(-1)?.body as { tools?: { name: string }[] } | undefined)?.tools ?? []).map(({ name }) => name);
  for (const [name, { told: wanted }] of Object.entries(STEPS)) {
    const { output } = await mob.runs.wait({ run_id: (await mob.flows.run(name)).run_id });
    assert.deepEqual([output, told()], ["seen", wanted], name);
  }
  const { tickets: [ticket] } = await mob.dispatch("ann", "hello");
  await mob.turns.wait(ticket?.turn_id ?? "");
  assert.deepEqual(told(), ALL, "a turn of no flow has all again");
  // One that remembers a tool and calls it all the same.
  const { output } = await mob.runs.wait({ run_id: (await mob.flows.run("writes")).run_id });
  assert.deepEqual([output, existsSync(join(out, "x.txt"))], ["it is not there", false]);
});
