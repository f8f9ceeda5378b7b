/** A small MCP server on its standard streams, with one answer for each method; starts at once. */
import { createInterface } from "node:readline";

const ANSWERS: Readonly<Record<string, (params: { protocolVersion?: string }) => unknown>> = {
  "initialize": ({ protocolVersion }) => ({
    protocolVersion, serverInfo: { name: "demo", version: "1" }, instructions: "Ask.",
    capabilities: {
      tools: { listChanged: true }, resources: { subscribe: true, listChanged: true }, prompts: { listChanged: true },
      logging: {}, completions: {},
    },
  }),
  "ping": () => ({}),
  "tools/list": () => ({ tools: [{ name: "echo", inputSchema: { type: "object" } }] }),
  "tools/call": () => ({ content: [{ type: "text", text: "hi" }] }),
  "resources/list": () => ({ resources: [{ uri: "demo://note", name: "note" }] }),
  "resources/templates/list": () => ({ resourceTemplates: [{ uriTemplate: "demo://{name}", name: "notes" }] }),
  "resources/read": () => ({ contents: [{ uri: "demo://note", text: "hello" }] }),
  "resources/subscribe": () => ({}),
  "resources/unsubscribe": () => ({}),
  "prompts/list": () => ({ prompts: [{ name: "greet" }] }),
  "prompts/get": () => ({ description: "A greeting.", messages: [{ role: "user", content: { type: "text", text: "Hi." } }] }),
  "completion/complete": () => ({ completion: { values: ["Ada"], total: 1, hasMore: false } }),
  "logging/setLevel": () => ({}),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line) as { id?: number; method?: string; params?: object };
  if (id === undefined || method === undefined) continue;
  const result = ANSWERS[method]?.(params);
  const error = { code: -32_601, message: "Method not found" };
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...(result === undefined ? { error } : { result }) })}\n`);
}
