/**
 * The one door to the MCP SDK; loaded with the first connection. takes a wire; gives a session, which shakes
 * hands, tells what the server notifies, has what it asks answered, and knows the shapes of results; promises
 * that every wait ends with its signal and leaves nothing behind.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  type ClientCapabilities, CompleteResultSchema, EmptyResultSchema, ErrorCode,
  GetPromptResultSchema, ListPromptsResultSchema, ListResourcesResultSchema,
  ListResourceTemplatesResultSchema, ListToolsResultSchema, McpError, ReadResourceResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { type Fetch, RECONNECTS } from "./guarded-fetch.ts";
import type { Message, Pipe } from "./pipe.ts";
import { RequestProblem } from "./request-problem.ts";
import type { Wire } from "./wire.ts";

/** Answers of tools are looked at by `checkToolAnswer`: they are many, and the SDK's schema is slow. */
const RESULTS = {
  "tools/list": ListToolsResultSchema,
  "resources/list": ListResourcesResultSchema, "resources/templates/list": ListResourceTemplatesResultSchema,
  "resources/read": ReadResourceResultSchema, "resources/subscribe": EmptyResultSchema,
  "resources/unsubscribe": EmptyResultSchema, "prompts/list": ListPromptsResultSchema,
  "prompts/get": GetPromptResultSchema, "completion/complete": CompleteResultSchema, ping: EmptyResultSchema,
} as const;
export type Method = keyof typeof RESULTS | "tools/call";

/** What a handler of a server's request throws to answer with an error of JSON-RPC. */
export class RequestRefused extends Error {
  readonly code: number;

  constructor(why: "method not found" | "internal", message: string) {
    super(message);
    this.code = why === "internal" ? ErrorCode.InternalError : ErrorCode.MethodNotFound;
  }
}

export interface SessionParts {
  readonly wire: Wire;
  readonly capabilities: Message;
  readonly version: string;
  /** Answers a request of the server; throws `RequestRefused`. */
  readonly asked: (method: string, params: Message, signal: AbortSignal) => Promise<Message>;
  readonly noticed: (method: string, params: Message) => void;
  readonly closed: () => void;
  readonly error: (error: Error) => void;
}

/** Longest wait of the SDK's own timer; ours is shorter. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Session {
  readonly #client: Client;
  readonly #wire: Wire;

  constructor(parts: SessionParts) {
    this.#wire = parts.wire;
    this.#client = new Client({ name: "atoll", version: parts.version }, {
      capabilities: parts.capabilities as ClientCapabilities,
      // structured content is the script's to judge: no code is made from the schemas of a server
      jsonSchemaValidator: {
        getValidator: () => (data) => ({ valid: true, data: data as never, errorMessage: undefined }),
      },
    });
    this.#client.removeNotificationHandler("notifications/progress");
    this.#client.fallbackNotificationHandler = async ({ method, params }) =>
      parts.noticed(method, params ?? {});
    this.#client.fallbackRequestHandler = async ({ method, params }, { signal }) =>
      await parts.asked(method, (params ?? {}) as Message, signal) as Record<string, unknown>;
    Object.assign(this.#client, { onclose: parts.closed, onerror: parts.error });
  }

  /** Shakes hands. The signal also ends the wait. */
  async connect(signal: AbortSignal): Promise<void> {
    try {
      await this.#client.connect(this.#wire as unknown as Transport, { signal, timeout: TIMER_MS_MAX });
    } catch (error) {
      throw toProblem(error);
    }
  }

  /** Throws RequestProblem for a result that is not one of the method. */
  check(method: Method, result: Message): void {
    if (method === "tools/call") {
      checkToolAnswer(result);
      return;
    }
    const { error } = RESULTS[method].safeParse(result);
    if (error !== undefined) throw toProblem(error);
  }

  notify(method: "notifications/roots/list_changed"): Promise<void> {
    return this.#client.notification({ method });
  }
}

function checkToolAnswer({ content }: Message): void {
  if (content === undefined) return;
  if (!Array.isArray(content)) throw invalid("content: expected an array");
  const at = content.findIndex((block: { type?: unknown } | null) => typeof block?.type !== "string");
  if (at >= 0) throw invalid(`content.${at}: expected a block with a type`);
}

function invalid(problem: string, cause?: unknown): RequestProblem {
  return new RequestProblem("invalid", `invalid answer: ${problem}`, { cause });
}

interface ZodIssue {
  readonly path: readonly unknown[];
  readonly message: string;
}

function toProblem(error: unknown): RequestProblem {
  if (error instanceof RequestProblem) return error;
  if (error instanceof McpError) {
    const { code } = error;
    const text = error.message.replace(/^MCP error -?\d+: /, "");
    // servers use this code for anything
    const kind = code === ErrorCode.ConnectionClosed && text === "Connection closed" ? "closed" : "rpc";
    return new RequestProblem(kind, text, { cause: error, rpcCode: code });
  }
  const { message, issues } = error as { message?: string; issues?: readonly ZodIssue[] };
  const first = issues?.[0];
  if (first !== undefined) return invalid(`${first.path.join(".")}: ${first.message}`, error);
  const text = message ?? String(error);
  return new RequestProblem(text === "Not connected" ? "closed" : "other", text, { cause: error });
}

export interface HttpWay {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly transport: "http" | "sse";
  readonly fetch: Fetch;
}

export interface HttpPipe extends Pipe {
  /** Tells the server that the session is over, where there is one. */
  terminate(): Promise<void>;
}

/** The SDK's own transports, over our fetch. */
export function httpPipe({ url, headers, transport, fetch }: HttpWay): HttpPipe {
  const options = { requestInit: { headers: { ...headers } }, fetch };
  if (transport === "sse") {
    const old = new SSEClientTransport(url, options);
    return Object.assign(old, { terminate: () => Promise.resolve() }) as unknown as HttpPipe;
  }
  const pipe = new StreamableHTTPClientTransport(url, {
    ...options, reconnectionOptions: {
      initialReconnectionDelay: 1_000, maxReconnectionDelay: 30_000, reconnectionDelayGrowFactor: 1.5,
      maxRetries: RECONNECTS,
    },
  });
  return Object.assign(pipe, { terminate: () => pipe.terminateSession() }) as unknown as HttpPipe;
}
