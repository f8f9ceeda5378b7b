/** Grants, guard and secrets of MCP (block 8). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Json } from "@atoll-run/core";
import type { Guard } from "../../src/config.ts";
import { everythingOver, run, value } from "./support.ts";

const NODE = `run:${process.execPath}`;
const denied = (server: string, tool: string): string =>
  `denied: mcp call ${server}/${tool} (tool not granted); needs grant mcp:${server}/${tool}`;

describe("in restricted mode", () => {
  test("connect needs run: for the program and mcp: for the server", async () => {
    const script = `local ok, e = pcall(raw, "r") return ok or {tostring(e), e.code}`;
    assert.deepEqual(await value(script, { grants: ["mcp:r/*"] }), [
      `denied: run ${process.execPath} (program not granted); needs grant ${NODE}`, "grant.denied",
    ]);
    assert.deepEqual(await value(script, { grants: [NODE] }), [
      "denied: mcp call r/* (server not granted); needs grant mcp:r/*", "grant.denied",
    ]);
    assert.equal(await value(script, { grants: [NODE, "mcp:r/echo"] }), true);
  });

  test("a tool that is not named is denied as the result of the call; listing is not", async () => {
    assert.deepEqual(await value(`
      raw("r")
      local r, res = mcp.call("r", "env", {}), mcp.read_resource("r", "x:y")
      return {r.ok, r.error, r.code, mcp.call("r", "echo", {}).ok, #mcp.list_tools("r").tools, res.error}`,
    { grants: [NODE, "mcp:r/echo"] }), [false, denied("r", "env"), "grant.denied", true, 5, denied("r", "*")]);
  });

  test("!sampling and !elicitation withhold what would be advertised", async () => {
    const messages = JSON.parse(String(await value(`raw("r") return texts(mcp.call("r", "seen"))`, {
      grants: [NODE, "mcp:r/*", "mcp:*/!sampling", "mcp:r/!elicitation"],
    }))) as { params: { capabilities: object } }[];
    assert.deepEqual(messages[0]?.params.capabilities, { roots: { listChanged: true } });
  });

  test("a server asks for sampling although it is withheld: method not found", async () => {
    const answer = JSON.parse(String(await value(`
      mcp.set_sampling_handler(function() return {content = "no"} end)
      raw("r")
      return texts(mcp.call("r", "ask", {method = "sampling/createMessage", params = {}}))`,
    { grants: [NODE, "mcp:r/*", "mcp:r/!sampling"] }))) as { error: { code: number } };
    assert.equal(answer.error.code, -32_601);
  });

  test("connect_http needs net: for the host beside mcp:", async () => {
    await using server = await everythingOver("streamableHttp");
    const { host } = new URL(server.url);
    const script = `
      local ok, e = pcall(mcp.connect_http, "e", URL)
      return ok and texts(mcp.call("e", "echo", {message = "x"})) or tostring(e)`;
    const globals = { URL: server.url };
    const without = await value(script, { globals, grants: ["mcp:e/*"] });
    assert.equal(without, `denied: net connect to ${host} (loopback address); needs grant net:${host}`);
    assert.equal(await value(script, { globals, grants: ["mcp:e/*", `net:${host}`] }), "Echo: x");
  });
});

describe("the guard", () => {
  const asking = (verdict: (call: Parameters<Guard>[0]) => Awaited<ReturnType<Guard>>): { guard: Guard; asked: string[] } => {
    const asked: string[] = [];
    return { asked, guard: async (call) => {
      asked.push(call.grant);
      return verdict(call);
    } };
  };

  test("is asked for program and tool, and may deny a call", async () => {
    const { guard, asked } = asking(({ tool }) => (tool === "echo" ? { deny: "not today" } : "allow"));
    const result = await value(`raw("r") local r = mcp.call("r", "echo", {a = 1}) return {r.ok, r.error, r.code}`, { guard });
    assert.deepEqual(asked, [NODE, "mcp:r/echo"]);
    assert.deepEqual(result, [false, "denied: mcp.call (not today); refused by the host's guard", "grant.denied"]);
  });

  test("may answer in place of the server", async () => {
    const { guard } = asking(({ tool }) => (tool === undefined ? "allow" : { answer: { content: [{ type: "text", text: "mine" }] } }));
    assert.equal(await value(`raw("r") return texts(mcp.call("r", "echo", {}))`, { guard }), "mine");
  });

  test("is told what a tool gave, which stands for the call later", async () => {
    const kept = new Map<string, Json>();
    const { guard } = asking(({ tool = "", done }) => {
      const made = kept.get(tool);
      if (made !== undefined) return { made };
      done?.(async (given) => void kept.set(tool, JSON.parse(JSON.stringify(given)) as Json));
      return "allow";
    });
    const script = (calls: number): string => `raw("r")
      for i = 1, ${calls} do mcp.call("r", "echo", {i = i}) end
      local seen = mcp.call("r", "seen")
      return {seen.ok, texts(seen)}`;
    const first = await value(script(0), { guard });
    assert.deepEqual([[...kept.keys()], (first as [boolean])[0]], [["seen"], true]);
    assert.deepEqual(await value(script(3), { guard }), first);
    assert.deepEqual([...kept.keys()], ["seen", "echo"]);
  });
});

describe("secrets", () => {
  test("a server inherits no secret variable, but gets those of opts.env", async () => {
    const names = JSON.parse(String(await value(`
      mcp.connect("r", NODE, {RAW}, {env = {GIVEN_TOKEN = "given-value-1"}})
      return texts(mcp.call("r", "env"))`, { env: { PATH: process.env["PATH"] ?? "", PET_TOKEN: "pet-value-1", PLAIN: "p" } }))) as string[];
    assert.deepEqual(["PET_TOKEN", "PLAIN", "GIVEN_TOKEN"].map((name) => names.includes(name)), [false, true, true]);
  });

  test("auth_header, secret headers and secrets of opts.env are masked in logs and errors", async () => {
    const { log, error } = await run(`
      pcall(mcp.connect_http, "n", "http://127.0.0.1:9/", {auth_header = "bearer-marker-1", headers = {["x-api-key"] = "key-marker-2"}})
      pcall(mcp.connect, "x", "sh", {"-c", "echo $MY_TOKEN >&2; exit 1"}, {env = {MY_TOKEN = "env-marker-3"}})
      log.warn("bearer-marker-1 key-marker-2")
      error("env-marker-3 bearer-marker-1")`);
    assert.doesNotMatch(JSON.stringify([log, error?.message, error?.facts]), /marker-\d/);
    assert.ok(log.some(({ msg }) => msg === "[REDACTED] [REDACTED]"));
  });
});
