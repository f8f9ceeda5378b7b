/**
 * JavaScript passes the chapters of any script engine: on a thread for each isle, and on threads that isles share.
 */
import { isleChapters, type IsleScripts } from "@atoll-run/testkit";
import { createIslePool } from "../../src/isle/host/pool.ts";
import { ownThreads } from "../../src/isle/host/threads.ts";
import { luaModule } from "./bare-state.ts";
import { luaEngine } from "./lua-engine.ts";

const head = `import { bus, std, tool } from "@atoll-run/atoll/script";\n`;
const begun = `${head} await tool.call("begun");\n`;

const scripts: IsleScripts = {
  seven: "export default 7", nothing: "", passOn: `${head} export default tool.call("take", await tool.call("give"))`,
  caught: `${head} export default tool.call("refuse").catch((e) => [e.code, e.message])`,
  uncaught: `${head} await tool.call("refuse")`,
  nested: `${head}
    const answers = [];
    const ask = async (n) => { answers[n] = await tool.call("ask", n); };
    async function* each() { await ask(0); yield 1; }
    for await (const _ of each()) await Promise.all([[1].map(ask)[0], { then: (ok) => ok(ask(2)) }]);
    export default answers`,
  broken: "let x = = 1", boom: `throw new Error("boom")`,
  count: `globalThis.N = (globalThis.N ?? 0) + 1; Array.mark = (Array.mark ?? 0) + 1;
    export default N + Array.mark - 1`,
  print: `${head} console.log("a"); await tool.call("ask"); console.log("b")`,
  serve: `${head}
    let n = 0;
    await bus.on("echo", (ev) => ev.payload);
    await bus.on("fail", () => { throw new Error("no"); });
    await bus.on("add", () => ++n);
    await bus.serve()`,
  wait: `${head} await tool.call("ask")`,
  endless: {
    "loop in try in a generator in a task": `${begun} await std.task.spawn(() => {
      const loop = function* () { for (;;) try { for (;;); } finally { for (;;); } };
      for (const _ of loop());
    }).join()`,
    "throw and catch errors": `${begun} for (;;) try { throw {}; } catch {}`,
    "match a pattern": `${begun} for (;;) /(a*)*b/.exec("a".repeat(40))`,
    "await what is there already": `${begun} for (;;) await null`,
    "start tasks": `${begun} for (;;) await std.task.spawn(() => 1).join()`,
    "encode JSON": `${begun} const t = Array.from({ length: 1e5 }, (_, i) => i); for (;;) std.json.encode(t)`,
    "look for what is nowhere": `${begun} Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)`,
  },
  hungry: {
    "doubling a string": `let s = "x"; for (;;) s = (s + s).split("").join("")`,
    "a growing list": "const t = []; for (;;) t.push({})",
    "closures": "let f; for (;;) { const g = f; f = () => g; }",
    "bytes": "const t = []; for (;;) t.push(new Uint8Array(65536))",
    "promises": "const t = []; for (;;) t.push(Promise.resolve().then(() => 1))",
  },
  sated: `let caught = false;
    try { const t = []; for (;;) t.push(new Uint8Array(65536)); } catch (e) { caught = e.message === "out of memory"; }
    export default caught && "caught"`,
};

isleChapters({ name: "JavaScript, a thread for each isle", scripts,
  open: () => luaEngine(ownThreads(luaModule), "js") });
isleChapters({ name: "JavaScript, isles on shared threads", scripts,
  open: () => luaEngine(createIslePool(luaModule(), { max: 2 }), "js") });
