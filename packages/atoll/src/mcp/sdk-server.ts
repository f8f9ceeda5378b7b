/**
 * The server's door to the MCP SDK; loaded when something is served. Knows the protocol and nothing of
 * blocks.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  CallToolRequestSchema, CreateMessageResultSchema, ElicitResultSchema, ListResourcesRequestSchema,
  ListToolsRequestSchema, McpError, ReadResourceRequestSchema, type ServerResult,
} from "@modelcontextprotocol/sdk/types.js";
import type { Json } from "@atoll-run/core";
import type { ToolAnswer } from "./answers.ts";
import type { DocumentInfo } from "./docs.ts";
import type { CallHooks } from "./tool-host.ts";

/** What is served to one client. */
export interface Served {
  tools(): Promise<readonly Json[]>;
  call(name: string, input: Json, hooks: CallHooks): Promise<ToolAnswer>;
  documents(): readonly DocumentInfo[];
  /** undefined: there is no such document. */
  read(uri: string): string | undefined;
}

export interface OpenServer {
  /** Settles when the client is gone. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

const LEVELS = new Set(["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]);
/** What the protocol says for a resource that is not there. */
const NO_RESOURCE = -32_002;
const MARKDOWN = "text/markdown";
/** Whoever is asked may be a person; a call that is taken back ends the wait. */
const ASK_MS_MAX = 600_000;

function createServer(served: Served, version: string): Server {
  const server = new Server({ name: "atoll", version },
    { capabilities: { tools: {}, resources: {}, logging: {} } });
  server.setRequestHandler(ListToolsRequestSchema, async () =>
    ({ tools: await served.tools() }) as ServerResult);
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const token = params._meta?.progressToken;
    const quiet = (sent: Promise<void>): void => void sent.catch(() => undefined);
    return await served.call(params.name, (params.arguments ?? {}) as Json, {
      signal: extra.signal,
      progress: ({ progress, total, message }) => {
        if (token === undefined) return;
        const params = { progressToken: token, progress, ...(total === undefined ? {} : { total }),
          ...(message === undefined ? {} : { message }) };
        quiet(extra.sendNotification({ method: "notifications/progress", params }));
      },
      log: ({ level, data, logger }) => {
        const params = { level: LEVELS.has(level) ? level as "info" : "info" as const, data,
          ...(logger === undefined ? {} : { logger }) };
        quiet(extra.sendNotification({ method: "notifications/message", params }));
      },
      ask: async (kind, asked) => {
        const options = { signal: extra.signal, timeout: ASK_MS_MAX };
        if (kind === "sample") {
          const request = { method: "sampling/createMessage" as const, params: asked as never };
          return await extra.sendRequest(request, CreateMessageResultSchema, options) as Json;
        }
        const request = { method: "elicitation/create" as const, params: asked as never };
        return await extra.sendRequest(request, ElicitResultSchema, options) as Json;
      },
    }) as ServerResult;
  });
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: served.documents().map(
    ({ uri, name, title, bytes }) => ({ uri, name, title, mimeType: MARKDOWN, size: bytes })) }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => {
    const text = served.read(uri);
    if (text === undefined) throw new McpError(NO_RESOURCE, `Resource not found: ${uri}`, { uri });
    return { contents: [{ uri, mimeType: MARKDOWN, text }] };
  });
  return server;
}

async function open(server: Server, transport: Transport): Promise<OpenServer> {
  const closed = new Promise<void>((resolve) => {
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK has no other way
    server.onclose = () => resolve();
  });
  await server.connect(transport);
  return { closed, close: () => server.close() };
}

/** Serves one client over the streams of a process, a JSON text a line. */
export async function serveStdio(
  served: Served, o: { version: string; input: NodeJS.ReadStream; output: NodeJS.WriteStream },
): Promise<OpenServer> {
  const server = await open(createServer(served, o.version), new StdioServerTransport(o.input, o.output));
  // Nothing more can come: the client is gone.
  const end = (): void => void server.close().catch(() => undefined);
  for (const event of ["end", "close", "error"]) o.input.once(event, end);
  return server;
}

export interface HttpSession extends OpenServer {
  /** Answers one HTTP request of the session. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** Serves one client over HTTP; `id` is known when the client has said hello. */
export async function serveHttp(
  served: Served,
  o: { version: string; id: () => string; bodyBytesMax: number; opened: (id: string) => void },
): Promise<HttpSession> {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: o.id, maxRequestBodySize: o.bodyBytesMax, onsessioninitialized: o.opened,
  });
  // The class says `undefined` where its interface leaves out.
  const session = await open(createServer(served, o.version), transport as unknown as Transport);
  return { ...session, handle: (request, response) => transport.handleRequest(request, response) };
}
