/** Spans and figures for an SDK that the host registered (spec: block 9). */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { until } from "@atoll-run/testkit";
import { createLocalMesh } from "../../src/mesh/local.ts";
import { calls, json, provider, says } from "../agent/provider.ts";
import { runLua, startLua } from "../support/run-script.ts";

const spans = new InMemorySpanExporter();
const figures = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: figures, exportIntervalMillis: 3_600_000 });
const meters = new MeterProvider({ readers: [reader] });
const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });

before(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
});
beforeEach(() => spans.reset());
after(async () => {
  await Promise.all([tracers.shutdown(), meters.shutdown()]);
});

interface Seen {
  readonly name: string;
  readonly parent: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly failed: boolean;
}

function seen(): Seen[] {
  const all = spans.getFinishedSpans();
  const names = new Map(all.map((span) => [span.spanContext().spanId, span.name]));
  return all.map(({ name, parentSpanContext, attributes, status }) => ({
    name, parent: parentSpanContext === undefined ? undefined : names.get(parentSpanContext.spanId) ?? parentSpanContext.spanId,
    attributes, failed: status.code === 2,
  }));
}

test("what a script does outside is a span of its run, in the trace that the host names", async (t) => {
  const { url, script } = await provider(t);
  script({});
  const traced = { trace_id: "0af7651916cd43dd8448eb211c80319c", span_id: "b7ad6b7169203331", run_id: "r", agent_id: "", agent_name: "" };
  await runLua(`
    http.request("${url}/a?token=hidden", {method = "POST", body = "{}"})
    sh.exec("exit 3")
    pcall(http.request, "http://127.0.0.1:1/")
    tool.register("add", {}, function() sh.exec("true") end)
    tool.call("add")
  `, { trace: traced });
  const all = seen();
  assert.deepEqual(all.map(({ name, parent, failed }) => [name, parent, failed]), [
    ["http.client", "block.run", false], ["sh.exec", "block.run", false], ["http.client", "block.run", true],
    ["sh.exec", "block.run", false], ["tool.call", "block.run", false], ["block.run", traced.span_id, false],
  ]);
  assert.ok(spans.getFinishedSpans().every((span) => span.spanContext().traceId === traced.trace_id));
  assert.deepEqual(all[0]?.attributes, { "http.request.method": "POST", "url.full": `${url}/a`, "http.response.status_code": 200 });
  assert.equal(all[1]?.attributes["process.exit.code"], 3);
  assert.equal(all[2]?.attributes["error.type"], "http.connect");
});

test("an event is a span of its own, and what its handler does is inside of it", async () => {
  const { run } = startLua(`bus.on("x", function() sh.exec("true") end) bus.on("y", function() error("no") end) bus.serve()`);
  await run.request("x", null);
  await assert.rejects(run.request("y", null));
  await run.stop();
  assert.deepEqual(seen().map(({ name, parent, failed }) => [name, parent, failed]), [
    ["sh.exec", "bus.handle", false], ["bus.handle", "block.run", false], ["bus.handle", "block.run", true],
    ["block.run", undefined, false],
  ]);
});

test("an agent run has a span, and each of its model calls one inside of it", async (t) => {
  const { url, script } = await provider(t);
  script({
    id: "m", type: "message", role: "assistant", content: [{ type: "text", text: "hello" }], stop_reason: "end_turn",
    usage: { input_tokens: 3, output_tokens: 4 },
  });
  await runLua(`require("agent").run{prompt = "secret words", model = "m-1", base_url = "${url}", api_key = "k-123456"}`);
  const all = seen();
  assert.deepEqual(all.map(({ name, parent }) => [name, parent]), [
    ["chat m-1", "agent.run"], ["agent.run", "block.run"], ["block.run", undefined],
  ]);
  assert.deepEqual(all[0]?.attributes, {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "m-1",
    "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4, "gen_ai.response.finish_reasons": ["end_turn"],
  });
  assert.doesNotMatch(JSON.stringify(all), /secret words|k-123456/);
});

/** `traceparent` of the only span with that name. */
function headerOf(name: string): string {
  const [span, ...more] = spans.getFinishedSpans().filter((one) => one.name === name);
  assert.deepEqual([more.length, span === undefined], [0, false], name);
  const { traceId, spanId } = (span as ReadableSpan).spanContext();
  return `00-${traceId}-${spanId}-01`;
}

test("what goes outside names its own span: HTTP requests and calls of models", async (t) => {
  const p = await provider(t);
  p.script(says("hello"));
  const source = `http.request("${p.url}/x", {method = "POST", body = "{}"})
    require("agent").run{prompt = "go", model = "m-1", base_url = "${p.url}", api_key = "k-123456"}`;
  await runLua(source, { trace: { trace_id: "a trace of theirs", run_id: "r", agent_id: "", agent_name: "" } });
  const [request, model] = p.asked.map(({ headers }) => headers);
  assert.deepEqual([request?.["traceparent"], model?.["traceparent"]], [headerOf("http.client"), headerOf("chat m-1")]);
  assert.deepEqual([request?.["x-trace-id"], model?.["x-trace-id"]], ["a trace of theirs", "a trace of theirs"]);
});

test("an event from a peer is inside of the span that asks, and what its handler asks is inside of the event", async (t) => {
  const p = await provider(t);
  p.script({});
  const mesh = createLocalMesh();
  const asked = startLua(`
    bus.on("mesh", function() http.request("${p.url}", {method = "POST", body = "{}"}) return 1 end) bus.serve()`, { mesh: mesh.join("b") });
  await until(() => asked.run.stats().isles.length === 2, { withinMs: 20_000 });
  assert.equal((await runLua(`return mesh.request("b", {})`, { mesh: mesh.join("a") })).result?.value, 1);
  await asked.run.stop();
  assert.deepEqual(seen().map(({ name, parent }) => [name, parent]), [
    ["http.client", "bus.handle"], ["bus.handle", "mesh.request"], ["mesh.request", "block.run"],
    ["block.run", undefined], ["block.run", undefined],
  ]);
  assert.equal(p.asked[0]?.headers["traceparent"], headerOf("http.client"));
});

test("an agent run has a span around each call of an MCP tool, and runs side by side keep theirs apart", async (t) => {
  const p = await provider(t);
  p.script((response, { body }) => json(response, 200, body.messages.length === 1 ? calls([["e__echo", {}]]) : says("done")));
  const server = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));
  await runLua(`
    local agent = require("agent")
    local function one(servers)
      return std.task.spawn(function() return agent.run{prompt = "go", model = "m-1", base_url = "${p.url}", api_key = "k-123456",
        mcp_servers = servers} end)
    end
    local a, b = one({{name = "e", command = NODE, args = {SERVER, "stdio"}}}), one(nil)
    a:join() b:join()`, { globals: { NODE: process.execPath, SERVER: server } });
  const all = spans.getFinishedSpans();
  const runs = all.filter(({ name }) => name === "agent.run").map((span) => span.spanContext().spanId);
  const parents = (name: string): string[] => all.filter((span) => span.name === name)
    .map(({ parentSpanContext }) => parentSpanContext?.spanId ?? "");
  assert.deepEqual(parents("chat m-1").toSorted(), [...runs, ...runs].toSorted());
  assert.equal(parents("mcp.call").length, 1);
  assert.ok(runs.includes(parents("mcp.call")[0] as string));
  const called = seen().find(({ name }) => name === "mcp.call");
  assert.deepEqual([called?.attributes, called?.failed], [{ "mcp.server": "e", "mcp.tool": "echo" }, true]);
});

test("an agent run has a span around each call of a tool that is there; the model's words for others are in none", async (t) => {
  const p = await provider(t);
  p.script((response, { body }) => json(response, 200, body.messages.length === 1 ? calls([["good", {}], ["bad", {}], ["mine", {}], ["made up", {}]]) : says("done")));
  await runLua(`
    local function made(name, handler) return {name = name, description = "", input_schema = {type = "object"}, handler = handler} end
    tool.register("mine", {description = "", input_schema = {type = "object"}}, function() return "fine" end)
    require("agent").run{prompt = "go", model = "m-1", base_url = "${p.url}", api_key = "k-123456",
      extra_tools = {made("good", function() return "fine" end), made("bad", function() error("secret words") end)}}`);
  const all = seen().filter(({ name }) => name === "tool.call");
  assert.deepEqual(all.map(({ parent, attributes, failed }) => [parent, attributes, failed]), [
    ["agent.run", { "gen_ai.tool.name": "good" }, false], ["agent.run", { "gen_ai.tool.name": "bad" }, true],
    ["block.run", { "gen_ai.tool.name": "mine" }, false],
  ]);
  assert.doesNotMatch(JSON.stringify(seen()), /secret words|made up/);
});

test("queue depth, time of handlers, memory of isles, cancels and denials are figures", async () => {
  const script = startLua(`
    bus.on("x", function() end)
    pcall(sh.exec, "true") pcall(http.request, "http://127.0.0.1:1/")
    bus.serve()
  `, { grants: ["env:*"] });
  await script.run.request("x", null);
  await reader.forceFlush();
  const during = figures.getMetrics().at(-1)?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  const of = (name: string): number | undefined => {
    const value = during.find((one) => one.descriptor.name === name)?.dataPoints[0]?.value;
    return typeof value === "object" ? (value as { count: number }).count : value as number | undefined;
  };
  assert.equal(of("atoll.bus.queue.depth"), 0);
  assert.ok((of("atoll.isle.memory") ?? 0) > 10_000);
  assert.ok((of("atoll.bus.handle.duration") ?? 0) >= 1);
  assert.equal(of("atoll.grants.denials"), 1);
  script.run.cancel();
  await script.end;
  await reader.forceFlush();
  const later = figures.getMetrics().at(-1)?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  assert.equal(later.find((one) => one.descriptor.name === "atoll.run.cancels")?.dataPoints[0]?.value, 1);
  assert.deepEqual(seen().find(({ name }) => name === "block.run")?.attributes["error.type"], "run.cancelled");
});
