/** Issue B, MCP call: what a call of a tool costs over the bare client of the SDK. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import type { BlockRun } from "@atoll-run/block";
import type { Bench, Row } from "../tools/bench/bench.ts";
import { createBenchBlock, LUA_CACHE, script } from "./support/blocks.ts";
import { block } from "./support/built.ts";
import { ratioRow, rounds, takeTurns } from "./support/figures.ts";
import { onOneCore } from "./support/one-core.ts";

/** The SDK belongs to the package of blocks: its tests have a bare client. */
const { bareClient } = await import(new URL("../packages/block/test/mcp/bare-client.ts", import.meta.url).href) as {
  bareClient(server: readonly string[] | string): Promise<BareClient>;
};

interface BareClient extends AsyncDisposable {
  call(tool: string, args: Record<string, unknown>): Promise<unknown>;
}

/** Of one run: what an agent asks of its servers in a while. */
const CALLS = 50;
/** Of one run once everything is compiled, and the runs before: a block that does nothing but call a server that does nothing. */
const MANY_CALLS = 1_000;
const MANY = { runs: 11, warmUps: 15 } as const;
const SERVER = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));
const MESSAGE = "x".repeat(1024);

const LUA = `
mcp.connect("pipes", NODE, {SERVER, "stdio"})
mcp.connect_http("http", URL)
for _, server in ipairs{"pipes", "http"} do
  bus.on(server, function(ev)
    for _ = 1, ev.payload.calls do
      local r = mcp.call(server, "echo", {message = ev.payload.message})
      if not r.ok then error(r.error) end
    end
  end, {isle = "main"})
end
bus.serve()`;

export const bench: Bench = {
  name: "MCP call", unit: "×", issue: "B",
  question: "What does mcp.call from Lua cost, against callTool of the SDK's own client and transports, with 1 KiB to an echo?",
  bars: [{ name: "over pipes", atMost: 1.3 }, { name: "over HTTP", atMost: 1.3 }],
  async run({ quick }) {
    onOneCore();
    await using http = await httpServer();
    await using pipes = await bareClient([SERVER, "stdio"]);
    await using remote = await bareClient(http.url);
    const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
    await using run = createBenchBlock(block.ownThreads(module)).start({
      ...script(LUA), globals: { NODE: process.execPath, SERVER, URL: http.url },
    });
    await run.ready;
    const times = await takeTurns({
      barePipes: () => bareCalls(pipes, CALLS), luaPipes: () => luaCalls(run, "pipes", CALLS),
      bareHttp: () => bareCalls(remote, CALLS), luaHttp: () => luaCalls(run, "http", CALLS),
    }, rounds(quick));
    const rows = [
      ratioRow("over pipes", times.luaPipes, times.barePipes), ratioRow("over HTTP", times.luaHttp, times.bareHttp),
    ];
    return { rows: quick ? rows : [...rows, await compiled(pipes, run)] };
  },
};

/** Without a bar: beside a no-op of 60 µs the two hops between threads alone are 40 µs. */
async function compiled(pipes: BareClient, run: BlockRun): Promise<Row> {
  const times = await takeTurns({
    bare: () => bareCalls(pipes, MANY_CALLS), lua: () => luaCalls(run, "pipes", MANY_CALLS),
  }, MANY);
  return ratioRow("over pipes, after 15,000 calls", times.lua, times.bare);
}

/** The echo server over HTTP, on a port of its own. */
async function httpServer(): Promise<AsyncDisposable & { readonly url: string }> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  const child = spawn(process.execPath, [SERVER, "streamableHttp"], {
    env: { ...process.env, PORT: String(port) }, stdio: ["ignore", "ignore", "pipe"],
  });
  // it says where it listens
  await once(child.stderr, "data");
  child.stderr.resume();
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** Milliseconds of one call. */
async function bareCalls(client: BareClient, calls: number): Promise<number> {
  const begun = performance.now();
  for (let i = 0; i < calls; i++) await client.call("echo", { message: MESSAGE });
  return (performance.now() - begun) / calls;
}

async function luaCalls(run: BlockRun, server: "pipes" | "http", calls: number): Promise<number> {
  const begun = performance.now();
  await run.request(server, { message: MESSAGE, calls });
  return (performance.now() - begun) / calls;
}
