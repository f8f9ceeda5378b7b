// Goal: one event can be followed with real values at every step, from BlockRun.request to the Lua handler and back.
// Invariant: docs/walk.md is what this walk prints; when the code changes, the page fails.
// Method: a real block on real threads; the messages between host and isle are written down as they pass.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { createBlock, type IslePlacing, loadLuaModule, ownThreads } from "@atoll-run/block";
import { seededIds } from "@atoll-run/testkit";

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

interface Step {
  readonly iam: string;
  readonly room: string;
  readonly value: unknown;
  readonly refuses: string;
}

/** A registry reference is a number that changes with the libraries of the isle; the page says what it is. */
function shown(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, v: unknown) => (key === "ref" ? "reference of the handler in its isle" : v)));
}

/** Threads as they are, with an ear on what passes. */
function overheard(inner: IslePlacing, hear: (way: "to" | "from", message: { t: string }) => void): IslePlacing {
  return {
    ...inner,
    place(apart) {
      const { thread, shared } = inner.place(apart);
      return {
        shared,
        thread: {
          load: 0, ended: false, terminate: () => thread.terminate(),
          open(id, setup, listen) {
            const handle = thread.open(id, setup, (message) => {
              hear("from", message);
              listen(message);
            });
            return {
              ...handle,
              send(message) {
                hear("to", message);
                handle.send(message);
              },
            };
          },
        },
      };
    },
    left: () => inner.close(),
  };
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

function render(steps: readonly Step[]): string {
  const parts = steps.map((step, i) => [
    `## ${i + 1}. I am ${step.iam}`, "", `Room: \`packages/${step.room}\`. May refuse: ${step.refuses}.`, "", "```json",
    JSON.stringify(step.value, null, 2), "```", "",
  ].join("\n"));
  return [
    "# The walk of an event", "",
    "Printed by `test/walk.test.ts` from a real run; `UPDATE_DOCS=1 npm test -- walk` writes it anew. The script is:", "",
    "```lua", SCRIPT.trim(), "```", "", ...parts,
  ].join("\n");
}

test("one event is followed from request through bus, isle and handler and back, with a real value at every step", async () => {
  const steps = await walk();
  assert.deepEqual(steps.at(-1)?.value, { text: "hello atoll", kind: "greet" });
  for (const step of steps) assert.notEqual(step.value, undefined, step.iam);
  const page = render(steps);
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(PAGE, page);
  assert.equal(readFileSync(PAGE, "utf8"), page, "docs/walk.md is old: run UPDATE_DOCS=1 npm test -- walk");
});
