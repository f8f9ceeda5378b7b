/**
 * Goal: a thread that is stuck in one place without a poll is ended when a kill or a limit of its isles is due, and only
 * then. Method: real threads; an answer of a host tool is replaced by an array of 4 billion holes, whose size is counted
 * in a loop that has no poll.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Worker } from "node:worker_threads";
import { until } from "@atoll-run/testkit";
import { createIslePool } from "../../src/isle/host/pool.ts";
import { StuckWatch } from "../../src/isle/host/stuck-watch.ts";
import { BELL, type ToThread } from "../../src/isle/thread/protocol.ts";
import { startLua, type ScriptOptions, type StartedScript } from "../support/run-script.ts";
import { luaModule } from "./bare-state.ts";

const { postMessage } = Worker.prototype;
let answers = 0;
Worker.prototype.postMessage = function post(message: ToThread): void {
  const sticks = message.t === "json" && message.text === '"stuck"';
  if (sticks) answers++;
  postMessage.call(this, sticks ? { ...message, t: "reply", value: new Array(2 ** 32 - 1) } : message);
};
after(() => {
  Worker.prototype.postMessage = postMessage;
});

/** A kill that comes before the thread took the answer finds no stuck isle: nothing tells the host when it did. */
async function untilStuck(before: number): Promise<void> {
  await until(() => answers > before);
  await new Promise((resolve) => setTimeout(resolve, 500));
}

/** A script that sticks in the answer of its tool. */
function stuck(options: ScriptOptions): StartedScript {
  return startLua(`print("in") tool.call("stick")`, {
    ...options, hostTools: [{ name: "stick", description: "", input_schema: {}, handler: () => "stuck" }],
  });
}

for (const [limit, limits] of [
  ["its slice is over", { sliceMsMax: 100 }], ["its CPU time is over", { cpuMsMax: 150 }], ["its wall time is over", { wallMsMax: 200 }],
] as const) {
  test(`an isle that is stuck when ${limit} is ended with its thread: isle.timeout`, async () => {
    const { error } = await stuck({ limits }).end;
    assert.deepEqual([error?.code, error?.retry], ["isle.timeout", "never"]);
    assert.match(error?.message ?? "", /^limit error: /);
  });
}

test("an isle that is stuck when it is killed is ended with its thread", async () => {
  const before = answers;
  const s = stuck({});
  await untilStuck(before);
  s.run.cancel();
  assert.equal((await s.end).error?.code, "run.cancelled");
});

test("isles beside one that is stuck when it is killed fail isle.crashed, retryable", async () => {
  await using pool = createIslePool(luaModule(), { max: 2 });
  const limits = { sliceSharedMsMax: 1e6 };
  // one thread each, then both: the stuck one has a neighbour
  const neighbours = [1, 2].map(() => startLua(`print("in") std.time.sleep(60)`, { placing: pool, limits }));
  for (const one of neighbours) await until(() => one.printed() === "in\n", { withinMs: 20_000 });
  const before = answers;
  const s = stuck({ placing: pool, limits });
  await untilStuck(before);
  s.run.cancel();
  assert.equal((await s.end).error?.code, "run.cancelled");
  const { error } = await Promise.race(neighbours.map(({ end }) => end));
  assert.deepEqual([error?.code, error?.retry], ["isle.crashed", "later"]);
  for (const one of neighbours) one.run.cancel();
  await Promise.all(neighbours.map(({ end }) => end));
});

test("a kill leaves a busy neighbour alone, however long the thread takes", async () => {
  await using pool = createIslePool(luaModule(), { max: 2 });
  const busy = [1, 2].map(() => startLua(`print("in") while not tool.call("done") do for i = 1, 2e6 do end end return 1`, {
    placing: pool, hostTools: [{ name: "done", description: "", input_schema: {}, handler: () => over }],
  }));
  let over = false;
  for (const one of busy) await until(() => one.printed() === "in\n", { withinMs: 20_000 });
  for (let i = 0; i < 5; i++) {
    const killed = startLua(`print("in") while true do end`, { placing: pool });
    await until(() => killed.printed() === "in\n", { withinMs: 20_000 });
    killed.run.cancel();
    assert.equal((await killed.end).error?.code, "run.cancelled");
  }
  over = true;
  for (const { end } of busy) assert.equal((await end).result?.value, 1);
});

for (const [title, each, seen] of [
  ["burns time without a beat is stuck", { cpu: 60, beats: 0, isle: 7 }, true],
  ["burns time and beats is not", { cpu: 60, beats: 1, isle: 7 }, false],
  ["gets no time is not", { cpu: 0, beats: 0, isle: 7 }, false],
  ["rests is not", { cpu: 60, beats: 0, isle: 0 }, false],
] as const) {
  test(`a thread that ${title}`, async () => {
    const bell = new Int32Array(BELL.words);
    let [cpu, looks, most] = [0, 0, 0];
    bell[BELL.isle] = each.isle;
    const watch = new StuckWatch({
      bell, still: (isle, cpuMs) => {
        assert.equal(isle, 7);
        most = cpuMs;
        return cpuMs > 100;
      },
      cpuMs: () => {
        looks++;
        bell[BELL.beats] = (bell[BELL.beats] as number) + each.beats;
        return Promise.resolve(cpu += each.cpu);
      },
    });
    watch.start();
    const keep = setInterval(() => looks++, 20);
    await until(() => (seen ? most > 100 : looks > 20), { withinMs: 20_000 });
    clearInterval(keep);
    watch.stop();
    assert.equal(most > 100, seen);
  });
}
