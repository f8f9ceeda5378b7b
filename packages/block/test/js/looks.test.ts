/** JavaScript that does little but call out of its isle meets its limits like any other (spec: block 7, "isle guarantees"). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InsideCalls, type InsideParts } from "../../src/isle/js/inside-calls.ts";
import type { HostArgs } from "../../src/isle/js/machine.ts";
import { Terminate } from "../../src/isle/lua/vm-errors.ts";
import { startLua as startScript } from "../support/run-script.ts";

test("every 50th call that leaves the VM looks at the limits, and ends the VM when one is over", () => {
  let looks = 0;
  const over = new Terminate("timeout", "limit error: over");
  const look = (): number => {
    if (++looks > 3) throw over;
    return 0;
  };
  const calls = new InsideCalls({ vm: { meter: { look } } } as unknown as InsideParts);
  const clock: HostArgs = { count: 1, text: (index) => (index === 0 ? "clock" : ""), number: () => 0, bytes: () => new Uint8Array() };
  for (let i = 0; i < 199; i++) calls.call(clock);
  assert.equal(looks, 3);
  assert.throws(() => calls.call(clock), over);
});

test("a loop of such calls is over with its CPU time", async () => {
  const source = `import { std } from "@atoll-run/atoll/script"; for (;;) std.path.join("a", "b");`;
  const { error } = await startScript(source, { name: "test.js", limits: { cpuMsMax: 100 } }).end;
  assert.deepEqual([error?.code, error?.facts], ["isle.timeout", { limit: "cpuMsMax" }]);
});
