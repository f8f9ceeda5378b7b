/**
 * Goal: a secret goes where it was sent, and nowhere else. Invariant: none of 24 markers, planted in variables, `.env`,
 * options, headers and URLs, is in anything a run writes: output, log at its most talkative, dumps, events, errors,
 * results, stores, recordings, environments of children. Method: a script uses them all, against servers that repeat
 * what they were sent, as bad servers do; then everything is searched, plain and in base64.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isFault, type LogEvent, toFaultData } from "@atoll-run/core";
import { type MockExchange, startMockModel } from "@atoll-run/testkit";
import { startBlock } from "../src/compose/run-block.ts";
import { atoll, type Place, place } from "./support/cli.ts";

/** Where a marker is planted → its value. */
type Markers = ReadonlyMap<string, string>;

const VARIABLES = [
  "ANTHROPIC_API_KEY", "PET_TOKEN", "DB_PASSWORD", "APP_SECRET", "SSH_PRIVATE_KEY", "AWS_SECRET_ACCESS_KEY", "GCP_CREDENTIALS",
  "LDAP_PASSWD", "MY_MODEL_API_KEY",
];
const DOTENV = ["CAT_PASSWORD", "DOG_TOKEN"];
const OPTIONS = [
  "http authorization", "http x-api-key", "http cookie", "http userinfo", "http query token", "agent api_key", "agent userinfo",
  "openai api_key", "compile_loop api_key", "mcp auth_header", "mcp header", "mcp userinfo", "child env",
];

function plant(): Markers {
  return new Map([...VARIABLES, ...DOTENV, ...OPTIONS].map((where, i) => [where, `mark${i}x${randomBytes(9).toString("hex")}`]));
}

interface World {
  /** A server that answers with what it was sent. */
  readonly echo: string;
  /** A mock model that records what another such server says. */
  readonly model: string;
  readonly recorded: MockExchange[];
  /** All headers and addresses that came in. */
  readonly sent: string[];
}

async function world(t: TestContext): Promise<World> {
  const sent: string[] = [];
  const server = createServer((request, response) => void repeat(request, response, sent));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const echo = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const recorded: MockExchange[] = [];
  const model = await startMockModel({ record: { upstream: `${echo}/upstream`, save: (exchange) => void recorded.push(exchange) } });
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await model.close();
  });
  return { echo, model: model.url, recorded, sent };
}

async function repeat(request: IncomingMessage, response: ServerResponse, sent: string[]): Promise<void> {
  for await (const _ of request) { /* to its end */ }
  const said = `${request.url} ${JSON.stringify(request.headers)}`;
  sent.push(said);
  const refuses = /messages|completions|mcp/.test(request.url ?? "");
  response.writeHead(refuses ? 401 : 200, { "content-type": "application/json", "x-token": "reply" });
  response.end(JSON.stringify({ type: "error", error: { type: "authentication_error", message: `not with ${said}` } }));
}

/** Uses every marker, prints every error, and fails at the end with one in its text. */
function script(m: Markers, w: World): string {
  const at = (where: string): string => JSON.stringify(m.get(where));
  const host = w.echo.slice("http://".length);
  return String.raw`
    local out = {}
    local function try(what, f, ...)
      local ok, e = pcall(f, ...)
      if type(e) == "table" and e.error then e = e.error end
      if not ok or type(e) == "string" then out[#out + 1] = what .. ": " .. tostring(e) end
    end
    for _, name in ipairs{${[...VARIABLES, ...DOTENV].map((name) => `"${name}"`).join(", ")}} do
      local value = os.getenv(name)
      assert(value and #value > 10, name)
      log.info("have " .. value, {[name] = value, inner = {value}})
      log.debug(name .. "=" .. value)
    end
    local sent = {authorization = "Bearer " .. ${at("http authorization")}, ["x-api-key"] = ${at("http x-api-key")},
      cookie = "a=" .. ${at("http cookie")}}
    try("http", http.request, "http://user:" .. ${at("http userinfo")} .. "@${host}/?token=" .. ${at("http query token")}, {headers = sent})
    try("http late", http.request, "http://user:" .. ${at("http userinfo")} .. "@${host}/?token=" .. ${at("http query token")}, {timeout = 0})
    try("http none", http.request, "http://user:" .. ${at("http userinfo")} .. "@127.0.0.1:1/?token=" .. ${at("http query token")}, {headers = sent})
    try("http invalid", http.request, "nonsense://user:" .. ${at("http userinfo")} .. "@x", {headers = sent})

    local agent = require("agent")
    local function ask(what, o)
      o.prompt, o.retries = "hello", 0
      local r = agent.run(o)
      assert(not r.ok, what)
      out[#out + 1] = what .. ": " .. std.json.encode{r.error, r.error_detail or {}}
      log.warn("agent failed", {result = r})
    end
    ask("agent", {base_url = "${w.model}", api_key = ${at("agent api_key")}})
    ask("agent variable", {base_url = "${w.model}"})
    ask("agent named", {base_url = "${w.model}", api_key_env = "MY_MODEL_API_KEY"})
    ask("agent userinfo", {base_url = "http://user:" .. ${at("agent userinfo")} .. "@${host}", api_key = ${at("agent api_key")}})
    ask("openai", {provider = "openai", base_url = "${w.model}/v1", api_key = ${at("openai api_key")}})
    local loop = require("compile_loop").make{name = "write", max_iters = 1, runner = function() return {ok = false, stderr = "no"} end,
      llm = {provider = "anthropic", base_url = "${w.model}", api_key = ${at("compile_loop api_key")}}}
    out[#out + 1] = loop.handler{spec = "x", target_file = "made.lua"}

    try("mcp", mcp.connect_http, "one", "${w.echo}/mcp", {auth_header = ${at("mcp auth_header")}, headers = {["x-secret"] = ${at("mcp header")}}})
    try("mcp userinfo", mcp.connect_http, "two", "http://user:" .. ${at("mcp userinfo")} .. "@${host}/mcp")
    try("mcp child", mcp.connect, "three", "sh", {"-c", "env > mcp-child.txt; exit 3"})
    sh.exec("env > sh-child.txt")
    sh.exec("true", {env = {DEPLOY = ${at("child env")}}})
    try("sh", sh.exec, "sleep 5", {env = {DEPLOY = ${at("child env")}}, timeout = 0.05})
    os.execute("env > os-child.txt")
    local pipe = io.popen("env") out[#out + 1] = pipe:read("a") pipe:close()
    std.sql.exec("CREATE TABLE seen (line TEXT)")
    for _, line in ipairs(out) do std.sql.exec("INSERT INTO seen VALUES (?)", {line}) print(line) end
    std.kv.set("seen", "lines", out)
    bus.on("fail", function() error("in a handler: " .. os.getenv("PET_TOKEN")) end)
    bus.emit("fail")
    std.task.spawn(function() error("in a task: " .. os.getenv("DB_PASSWORD")) end)
    std.task.sleep(50)
    error("at the end: " .. os.getenv("APP_SECRET") .. " " .. os.getenv("CAT_PASSWORD"))
  `;
}

function environment(m: Markers): Record<string, string> {
  return Object.fromEntries(VARIABLES.map((name) => [name, m.get(name) ?? ""]));
}

function dotenv(m: Markers): string {
  return DOTENV.map((name) => `${name}=${m.get(name)}\n`).join("");
}

/** `where in what` for each marker that is found in a text. */
function found(m: Markers, texts: Readonly<Record<string, string | Buffer>>): string[] {
  return Object.entries(texts).flatMap(([what, text]) => {
    const all = text.toString("latin1");
    return [...m].filter(([, marker]) => all.includes(marker) || forms(marker).some((form) => all.includes(form)))
      .map(([where]) => `${where} in ${what}`);
  });
}

/** What base64 makes of a marker in the middle of a text, at each of the three places it may begin. */
function forms(marker: string): string[] {
  return ["", "a", "ab"].map((before) => Buffer.from(before + marker).toString("base64").slice(4, -4));
}

/** Every file that the run may have written. */
function files(at: Place, but: readonly string[]): Record<string, Buffer> {
  const inside = [at.cwd, at.home].flatMap((root) => globSync("**", { cwd: root }).map((name) => join(root, name)));
  const written = [...inside, at.path(".env")].filter((path) => statSync(path).isFile() && !but.some((name) => path.endsWith(name)));
  return Object.fromEntries(written.map((path) => [path, readFileSync(path)]));
}

test("atoll run writes no secret to output, log, dumps, files, stores, recordings and children", async (t) => {
  const [m, w, at] = [plant(), await world(t), place(t)];
  at.file(".env", dotenv(m));
  const { code, stdout, stderr } = await atoll(at, [
    "run", at.file("script.lua", script(m, w)), "--log", "trace", "--log-format", "json", "--result", "result.json",
  ], { env: { ...environment(m), ATOLL_LLM_DUMP: "full", ATOLL_DEBUG_RAW: "1" } });
  writeFileSync(at.path("recording.jsonl"), w.recorded.map((exchange) => `${JSON.stringify(exchange)}\n`).join(""));

  assert.equal(code, 1, stderr);
  assert.match(stderr, /^atoll: .*at the end: \[REDACTED\] \[REDACTED\]$/m);
  assert.match(stderr, /agent\.llm_dump response_body/);
  assert.match(stdout, /^mcp child: /m);
  assert.ok(w.recorded.length >= 4);
  for (const name of ["sh-child.txt", "os-child.txt", "mcp-child.txt"]) assert.match(readFileSync(at.path(name), "utf8"), /PATH=/);
  for (const where of OPTIONS.filter((one) => !/child env|userinfo/.test(one))) {
    assert.ok(w.sent.some((said) => said.includes(m.get(where) as string)), `${where} was not sent`);
  }
  const written = { stdout, stderr, ...files(at, ["script.lua", ".env"]) };
  assert.ok(Object.keys(written).some((path) => path.endsWith("db.sqlite")));
  assert.deepEqual(found(m, written), []);
});

test("a host sees no secret in events, log and errors of a run", async (t) => {
  const [m, w, at] = [plant(), await world(t), place(t)];
  at.file(".env", dotenv(m));
  const log: LogEvent[] = [];
  const printed: Buffer[] = [];
  const run = startBlock({
    script: { source: script(m, w), name: "script.lua" }, projectRoot: at.cwd, sqlPath: ":memory:", kvPath: ":memory:",
    env: { PATH: process.env["PATH"] ?? "", HOME: at.home, ...environment(m), ATOLL_LLM_DUMP: "full" },
    log: { write: (event) => void log.push(event) }, stdout: (bytes) => void printed.push(Buffer.from(bytes)),
    stderr: (bytes) => void printed.push(Buffer.from(bytes)),
  });
  const heard: unknown[] = [];
  const hearing = (async () => {
    for await (const event of run.events({ buffer: 10_000 })) heard.push(event);
  })();
  const error = await run.result.then(() => assert.fail("it must fail"), (reason: unknown) => reason);
  await hearing;
  assert.ok(isFault(error));
  assert.match(error.message, /at the end: \[REDACTED\]/);
  assert.ok(heard.length > 20 && log.length > 20);
  const told = {
    events: toText(heard), log: toText(log), printed: Buffer.concat(printed),
    error: toText({ ...toFaultData(error), stack: error.stack, cause: String((error as Error).cause) }),
  };
  assert.deepEqual(found(m, told), []);
});

function toText(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one)
    : one instanceof Uint8Array ? Buffer.from(one).toString("latin1") : one));
}
