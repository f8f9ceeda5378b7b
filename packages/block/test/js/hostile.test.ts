/**
 * Hostile JavaScript: whatever a script does to its own realm, its run ends when it is told to, with a typed error, and the
 * thread goes on for its neighbour.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { createIslePool } from "../../src/isle/host/pool.ts";
import { luaModule } from "../isle/bare-state.ts";
import { startLua as startScript } from "../support/run-script.ts";

const IMPORT = `import { bus, sh, std, tool } from "@atoll-run/atoll/script";\n`;

/** What it does, its source, and the codes it may end with; "" = it returns. */
const ATTACKS: readonly (readonly [what: string, source: string, codes: readonly string[]])[] = [
  ["recursion without an end", "const f = () => f() + 1; f()", ["script.failed"]],
  ["a program that is too deep to read", `new Function("(".repeat(1e6))`, ["script.failed", "isle.crashed"]],
  ["data that is too deep to write", "let o = {}; for (let i = 0; i < 1e6; i++) o = { o }; export default o", ["", "script.failed", "isle.crashed", "isle.memory"]],
  ["a promise that answers itself", "const p = { then(ok) { ok(p); } }; await p", ["isle.timeout"]],
  ["a flood of jobs", "const f = () => { Promise.resolve().then(f); Promise.resolve().then(f); }; f()", ["", "isle.memory", "isle.timeout"]],
  ["a flood of timers", "for (;;) setTimeout(() => 0, 1e9)", ["isle.memory", "isle.timeout"]],
  ["a flood of calls", `${IMPORT} for (;;) tool.call("ask").catch(() => 0)`, ["isle.memory", "isle.timeout"]],
  ["a flood of lines", `for (;;) console.log("x".repeat(1000))`, ["isle.timeout"]],
  ["a broken then", `${IMPORT} Promise.prototype.then = () => { for (;;); }; await std.task.sleep(1)`, ["", "isle.timeout"]],
  ["broken lists", `${IMPORT} delete Array.prototype[Symbol.iterator]; Map.prototype.get = () => { throw 1; }; await std.task.sleep(1)`,
    ["", "isle.timeout", "isle.crashed", "script.failed"]],
  ["broken JSON", `${IMPORT} JSON.stringify = JSON.parse = () => { for (;;); }; export default await std.env.get("X")`, [""]],
  ["a getter that never ends", "export default { get a() { for (;;); } }", ["isle.timeout"]],
  ["a module that never ends loading itself", `await import("./missing.js").catch(() => 0); for (;;) await import("./missing.js").catch(() => 0)`,
    ["isle.timeout", "isle.memory"]],
  ["an error that lies", `throw { get code() { for (;;); } }`, ["isle.timeout"]],
  ["a proxy for everything", "export default new Proxy({}, { ownKeys() { for (;;); } })", ["isle.timeout"]],
  ["one call that never looks up", "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)", ["isle.timeout", "isle.crashed"]],
];

describe("hostile JavaScript", () => {
  const pool = createIslePool(luaModule(), { max: 2 });
  after(() => pool.close());
  for (const [what, source, codes] of ATTACKS) {
    test(`${what} ends, and a neighbour goes on`, async () => {
      const limits = { isleBytesMax: 48 << 20, cpuMsMax: 400, wallMsMax: 5_000, lingerMs: 100, printBytesMax: 1 << 20 };
      const ask = { name: "ask", description: "", input_schema: {}, handler: () => new Promise<never>(() => undefined) };
      const { error } = await startScript(source, { name: "test.js", placing: pool, limits, hostTools: [ask] }).end;
      assert.ok(codes.includes(error?.code ?? ""), `${error?.code}: ${error?.message}`);
      const { result } = await startScript("export default 7", { name: "test.js", placing: pool }).end;
      assert.equal(result?.value, 7);
    });
  }
});
