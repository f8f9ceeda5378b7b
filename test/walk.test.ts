// Goal: a message can be followed with real values at every step, from a program in another process to a Lua handler and back.
// Invariant: docs/walk.md is what this walk prints; when the code changes, the page fails.
// Method: a real mob, wire and block; what passes the wire, the store and the threads is written down as it passes.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { createBlock, loadLuaModule, ownThreads } from "@atoll-run/block";
import { seededIds } from "@atoll-run/testkit";
import { MEMBER_SCRIPT, mobWalk } from "./walk/mob-walk.ts";
import { overheard } from "./walk/overheard.ts";
import { REF, renderSteps, type Step } from "./walk/step.ts";

const SCRIPT = `
bus.on("greet", function(event)
  print(std.json.encode(event))
  return { text = "hello " .. event.payload.name, kind = event.kind }
end)
bus.serve()
`;
const PAGE = new URL("../docs/walk.md", import.meta.url);
const clock = {
  now: () => Date.now(), monotonic: () => performance.now(),
  after(ms: number, then: () => void): Disposable {
    const timer = setTimeout(then, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

function shown(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, v: unknown) => (key === "ref" ? REF : v)));
}

async function walk(): Promise<Step[]> {
  let printed = "";
  const passed: { way: "to" | "from"; message: { t: string } }[] = [];
  const placing = overheard(ownThreads(loadLuaModule().module), (way, message) => passed.push({ way, message }));
  const stores = { sql: none, kv: none, series: none };
  const block = createBlock({ clock, ids: seededIds(1), placing, stores, searchPath: "", inherit: () => undefined });
  const run = block.start({ script: { source: SCRIPT, name: "greeter.lua" }, env: {}, stdout: (bytes) => void (printed += Buffer.from(bytes).toString()) });
  const received: unknown[] = [];

  run.on("bus:received", (fact) => received.push(fact));
  await run.ready;
  const question = { kind: "greet", payload: { name: "atoll" }, id: "question-1", meta: { from: "walk" } };
  const reply = await run.request(question.kind, question.payload, { id: question.id, meta: question.meta });
  await run.stop();
  const find = (way: "to" | "from", t: string): unknown => shown(passed.find((p) => p.way === way && p.message.t === t)?.message);
  return [
    { iam: "a call of the host", room: "block/src/run/block-run.ts", value: question, refuses: "`json.encode`: a value without a JSON form" },
    { iam: "a `BusEvent` in the queue", room: "block/src/bus/dispatcher.ts", value: received[0], refuses: "`bus.overloaded`, `bus.closed`" },
    { iam: "a message to the isle's thread: text, not objects", room: "block/src/isle/thread/protocol.ts", value: find("to", "event"), refuses: "`bus.no_handler` when no handler has the kind" },
    { iam: "a Lua table in a coroutine of its own", room: "block/src/isle/thread/tenant.ts", value: JSON.parse(printed), refuses: "`isle.memory`, `isle.timeout`" },
    { iam: "what the handler returned, as JSON text", room: "block/src/isle/thread/tenant.ts", value: find("from", "handled"), refuses: "`bus.handler_failed`: the error of the handler is the nack" },
    { iam: "the answer, a plain value again", room: "block/src/run/block-run.ts", value: reply, refuses: "`bus.timeout` when the caller's time is up" },
  ];
}

function none(): never {
  throw new Error("this walk needs no store");
}

function render(whole: readonly Step[], inside: readonly Step[]): string {
  return [
    "# The walk of a message", "",
    "Printed by `test/walk.test.ts` from a real run; `UPDATE_DOCS=1 npm test -- walk` writes it anew. What is another one each time (an instant, an",
    "id, a place in the store) stands in `<>`.", "",
    "## From another process to a member of a mob, and back", "",
    "A program with a node calls `greeter::walk`, a member of a mob in another process, over WebSocket. The script of the member is:", "",
    "```lua", MEMBER_SCRIPT.trim(), "```", "", renderSteps(whole),
    "## Inside a block", "", "The same seen closer: a host asks its block. The script is:", "",
    "```lua", SCRIPT.trim(), "```", "", renderSteps(inside),
  ].join("\n");
}

test("a message is followed from a frame of another process to the handler and back, and on to the ledger's readers", async () => {
  const [inside, whole] = [await walk(), await mobWalk(clock)];
  assert.deepEqual(inside.at(-1)?.value, { text: "hello atoll", kind: "greet" });
  assert.deepEqual(whole.at(-2)?.value, { text: "hello atoll" });
  assert.deepEqual((whole.at(-1)?.value as { kind: string }[] | undefined)?.map(({ kind }) => kind), ["turn_queued", "turn_started", "turn_done"]);
  for (const step of [...whole, ...inside]) assert.notEqual(step.value, undefined, step.iam);
  const page = render(whole, inside);
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(PAGE, page);
  assert.equal(readFileSync(PAGE, "utf8"), page, "docs/walk.md is old: run UPDATE_DOCS=1 npm test -- walk");
});
