// Node 11.1, 11.2: spans of a node for an SDK that the program has registered.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { createNode, json, route, service } from "@atoll-run/node";
import { until } from "@atoll-run/testkit";
import { partsOf, settingsOf } from "../support/node-parts.ts";

const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });

before(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
});
beforeEach(() => exporter.reset());
after(() => provider.shutdown());

function spansOf(name: string): readonly ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === name);
}

function idOf(span: ReadableSpan | undefined): string | undefined {
  return span?.spanContext().spanId;
}

const Shop = service({ type: "acme:shop:1.0.0", name: "acme.Shop", routes: {
  Buy: route({ input: json<string>(), output: json<string>() }), Price: route({ input: json<string>(), output: json<number>() }),
  Note: route({ input: json<string>(), tell: true, attempts: 1 }), Slow: route({ output: json<null>(), handlerLimitMs: 20 }),
} });

function shop(o: { readonly broken: boolean }) {
  return Shop.implement({
    Buy: async (input, ctx) => await trace.getTracer("mine").startActiveSpan("my own work", async (span) => {
      await ctx.call(Shop.routes.Price, input, { to: "self" });
      span.end();
      return input;
    }),
    Price: () => 1,
    Note: () => {
      if (o.broken) throw new Error("a secret reason");
    },
    Slow: (_, ctx) => new Promise((resolve) => ctx.signal.addEventListener("abort", () => setTimeout(resolve, 50, null))),
  }, { hooks: { onReady: async (_, ctx) => void await ctx.call(Shop.routes.Price, "x", { to: "self" }) } });
}

test("a handler finds its dispatch as the span that is open, and what it asks belongs to the span it has made around it", async () => {
  await using node = await createNode(partsOf(), settingsOf("shop")).link(shop({ broken: false })).start();
  exporter.reset();
  await trace.getTracer("mine").startActiveSpan("the program", async (span) => {
    await node.call(Shop.routes.Buy, "a body", { to: "self" });
    span.end();
  });
  await until(() => spansOf("atoll.call").length === 2);
  const [inner, outer] = spansOf("atoll.call");
  const dispatch = spansOf("atoll.dispatch").find((span) => span.attributes["atoll.route"] === "acme.Shop.Buy");
  const [mine] = spansOf("my own work");
  assert.deepEqual([outer?.parentSpanContext?.spanId, dispatch?.parentSpanContext?.spanId], [idOf(spansOf("the program")[0]), idOf(outer)]);
  assert.deepEqual([mine?.parentSpanContext?.spanId, inner?.parentSpanContext?.spanId], [idOf(dispatch), idOf(mine)]);
  assert.equal(new Set(exporter.getFinishedSpans().map((span) => span.spanContext().traceId)).size, 1);
});

test("a redrive links to the original", async () => {
  const shopState = { broken: true };
  await using node = await createNode(partsOf(), settingsOf("shop")).link(shop(shopState)).start();
  exporter.reset();
  await node.tell(Shop.routes.Note, "a body", { to: "self" });
  await until(async () => (await node.deadLetters.stats()).letters === 1);
  const [told] = spansOf("atoll.tell");
  shopState.broken = false;
  await node.deadLetters.redrive({});
  await until(() => spansOf("atoll.dispatch").length === 2 && spansOf("atoll.commit").length === 2);
  const [, again] = spansOf("atoll.dispatch");
  assert.notEqual(again?.spanContext().traceId, told?.spanContext().traceId);
  assert.deepEqual(again?.links.map((link) => [link.context.traceId, link.context.spanId]), [[told?.spanContext().traceId, idOf(told)]]);
  assert.deepEqual(spansOf("atoll.commit").map((span) => span.attributes["atoll.outcome"]), ["handler_failed", "done"]);
  assert.doesNotMatch(JSON.stringify(exporter.getFinishedSpans().map(({ name, attributes, status, events }) => [name, attributes, status, events])), /secret|a body/);
});

test("a handler that is cut at its limit ends its span then, not when it comes back", async () => {
  await using node = await createNode(partsOf(), settingsOf("shop")).link(shop({ broken: false })).start();
  exporter.reset();
  await assert.rejects(node.call(Shop.routes.Slow, undefined, { to: "self" }), { code: "node.timed_out" });
  await until(() => spansOf("atoll.dispatch").length === 1);
  const { attributes } = spansOf("atoll.dispatch")[0] as ReadableSpan;
  assert.deepEqual([attributes["atoll.outcome"], attributes["error.type"]], ["timed_out", "node.timed_out"]);
});

test("a hook has a span, what it asks is inside of it, and an event that nobody hears has none", async () => {
  await using node = await createNode(partsOf(), settingsOf("shop")).link(shop({ broken: false })).start();
  await until(() => spansOf("atoll.hook").length > 0);
  const [hook, ...more] = spansOf("atoll.hook");
  assert.deepEqual([hook?.attributes["atoll.event"], more.length], ["on_ready", 0]);
  assert.equal(spansOf("atoll.call")[0]?.parentSpanContext?.spanId, idOf(hook));
  assert.equal(node.state, "running");
});

/** In a process of its own: what was loaded there is counted. */
const SOURCE = `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({ load: (url, c, next) => { loaded.push(url); return next(url, c); } });
  const { createNode, service, route, json } = await import(process.argv[1]);
  const { partsOf, settingsOf } = await import(process.argv[2]);
  const Echo = service({ type: "acme:echo:1.0.0", name: "acme.Echo", routes: { Say: route({ input: json(), output: json() }) } });
  const node = await createNode(partsOf(), settingsOf("echo")).link(Echo.implement({ Say: (input) => input })).start();
  await node.call(Echo.routes.Say, 1, { to: "self" });
  await node.close();
  console.log(JSON.stringify(loaded.filter((url) => /opentelemetry|open-telemetry/.test(url))));
`;

test("without a registered SDK a node loads nothing of OpenTelemetry", async () => {
  const files = ["../../src/index.ts", "../support/node-parts.ts"].map((file) => new URL(file, import.meta.url).href);
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", SOURCE, ...files]);
  assert.deepEqual(JSON.parse(stdout), []);
});
