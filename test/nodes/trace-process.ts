/** A process with one node of the trace: says its id, and when its input ends the spans that it has told. */
import process from "node:process";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { formatNodeId } from "@atoll-run/core";
import { blockService, createNode, json, route, service, type Hosted, type NodeHandle } from "@atoll-run/atoll/node";
import { until } from "@atoll-run/testkit";

export const RELAY_TYPE = "acme:relay:1.0.0";
export const LAST_TYPE = "acme:last:1.0.0";

/** What a test compares of a span. */
export interface Told {
  readonly name: string;
  readonly trace: string;
  readonly id: string;
  readonly parent: string | undefined;
  readonly links: readonly string[];
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface Spans {
  all(): readonly Told[];
}

/** Registers the SDK of this process. A context manager is its own choice: traces do not need it. */
export function takeSpans(o: { readonly contexts: boolean }): Spans {
  const exporter = new InMemorySpanExporter();
  if (o.contexts) context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  return { all: () => exporter.getFinishedSpans().map(toTold) };
}

function toTold(span: ReadableSpan): Told {
  const { traceId, spanId } = span.spanContext();
  return {
    name: span.name, trace: traceId, id: spanId, parent: span.parentSpanContext?.spanId,
    links: span.links.map((link) => link.context.spanId), facts: span.attributes,
  };
}

/** Asks the last one, and tells it something in the transaction of its answer. */
const RELAY = `
bus.on("acme.Relay.Pass", function(event)
  event.tx:tell("${LAST_TYPE}", "atoll.block.v1.Note", {text = "a secret text"})
  local ok = pcall(mesh.request, "${LAST_TYPE}", {text = "a secret text"})
  return {ok = ok}
end)
bus.on("stream:items", function(event) return nil end)
bus.serve()
`;

const Last = service({ type: LAST_TYPE, name: "atoll.block.v1", routes: {
  Mesh: route({ input: json<object>(), output: json<object>() }),
  Note: route({ input: json<object>(), tell: true, attempts: 2, backoffMs: 10 }),
} });

function hosted(role: string): Hosted {
  if (role === "relay") return blockService({ type: RELAY_TYPE, script: { name: "relay.lua", source: RELAY } });
  const fail = (): never => {
    throw new Error("it always fails");
  };
  return Last.implement({ Mesh: fail, Note: fail });
}

async function serve([role = "", url = "", dir = ""]: readonly string[]): Promise<void> {
  const spans = takeSpans({ contexts: role === "relay" });
  const acl = [{ effect: "allow", from: { type: "*:*:*", realm: "self", proof: "key" }, actions: ["*"] }] as const;
  const node: NodeHandle = await (await createNode({ name: role, dir, realm: { url }, acl }).attach(hosted(role))).start();
  process.stdout.write(`${node.id === undefined ? "" : formatNodeId(node.id)}\n`);
  for await (const _ of process.stdin);
  // What was told to the last one dies in its own time.
  if (role === "last") await until(async () => (await node.deadLetters.stats()).letters === 2, { withinMs: 30_000 });
  await node.close();
  process.stdout.write(`${JSON.stringify(spans.all())}\n`);
}

if (import.meta.main) await serve(process.argv.slice(2));
