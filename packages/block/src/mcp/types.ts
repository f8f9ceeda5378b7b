/** What the MCP room takes and gives: `servers.ts` implements `Mcp`; scripts and the agent loop use it. */
import type { Stop, TraceContext } from "@atoll-run/core";
import type { OpCall } from "../bridges/op.ts";

/** One server: a child process that speaks over its pipes, or a URL. */
export type McpServerSpec = McpStdioSpec | McpHttpSpec;

interface McpCommon {
  /** What scripts call it; a name in use closes the old server first. */
  readonly name: string;
  /** Adds `__ab_obs` to arguments and `traceparent` to `_meta` of tool calls. Default false. */
  readonly traceContext?: boolean | undefined;
  /** Milliseconds of one round trip; default that of the block. */
  readonly timeoutMs?: number | undefined;
  /** `false` withholds a capability that is advertised by default. */
  readonly capabilities?: Partial<Record<McpCapability, boolean>> | undefined;
}

export type McpCapability = "sampling" | "roots" | "elicitation";

export interface McpStdioSpec extends McpCommon {
  /** Name or path of a program. */
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  /** Default: the project root, where a relative one begins too. */
  readonly cwd?: string | undefined;
  /** Passes to the child as it is, secrets included. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export interface McpHttpSpec extends McpCommon {
  readonly url: string;
  /** Sent as `authorization: Bearer …`; masked wherever it would be seen. */
  readonly authHeader?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Streamable HTTP (default) or the older SSE transport. */
  readonly transport?: "http" | "sse" | undefined;
}

export interface McpCallOptions {
  /** Ends the wait; a request under way is cancelled at the server with its id. */
  readonly signal: AbortSignal;
  /** The same as `signal`, which then is not asked for by calls of tools. */
  readonly stop?: Stop | undefined;
  readonly trace?: TraceContext | undefined;
  /** Milliseconds of one round trip; default that of the server. */
  readonly timeoutMs?: number | undefined;
}

/**
 * An object as the server sent it, with the field names of MCP. A number that JavaScript cannot hold exactly
 * (2^53 + 1, `8.0`) is a `JSON.rawJSON` object: `JSON.stringify` writes it as it came.
 */
export type McpObject = { readonly [key: string]: unknown };

export interface McpToolResult {
  readonly content: readonly McpObject[];
  readonly isError: boolean;
  readonly structuredContent?: unknown;
}

export interface McpServerInfo {
  readonly protocolVersion: string;
  readonly capabilities: McpObject;
  readonly serverInfo: McpObject;
  readonly instructions?: string;
}

/** What a listener hears, with the field names that scripts see. */
export type McpNotice =
  | {
    readonly type: "progress"; readonly server: string; readonly token: string; readonly progress: number;
    readonly total?: number; readonly message?: string;
  }
  | {
    readonly type: "log"; readonly server: string; readonly level: McpLogLevel; readonly logger: string;
    /** JSON text. */
    readonly data: string;
  }
  | { readonly type: "resource_update"; readonly server: string; readonly uri: string }
  | { readonly type: `${"resources" | "tools" | "prompts"}_list_changed`; readonly server: string };

export type McpLogLevel = "debug" | "info" | "warning" | "error";
export type McpNoticeType = McpNotice["type"];

/** Heard in order for each server, one at a time; what it throws is a warning. */
export type McpListener = (notice: McpNotice) => unknown;

/** What a server may ask. `undefined` from `sampling` or `roots` answers "method not found". */
export interface McpHandlers {
  /** `params` is the JSON text of the request. */
  sampling(server: string, params: string, o: { signal: AbortSignal }): Promise<unknown>;
  roots(server: string, o: { signal: AbortSignal }): Promise<unknown>;
  elicitation(server: string, message: string, o: { schema: string; signal: AbortSignal }): Promise<unknown>;
}

/** How the servers of an instance ended. */
export interface McpClosed {
  /** Names of servers that had to be killed. */
  readonly killed: readonly string[];
}

/**
 * All functions throw `BlockError` with the texts of the specification (block 5.7): `mcp.spawn_failed`,
 * `mcp.handshake`, `mcp.rpc`, `mcp.unknown_server`, `mcp.server_exited`, `mcp.timeout`, `grant.denied`; or
 * the reason of the signal. Grants and guard are asked in here.
 */
export interface Mcp {
  /** Starts or reaches a server and shakes hands. On failure nothing of it is left. */
  connect(spec: McpServerSpec, o: McpCallOptions): Promise<void>;
  /** Closes a server; an unknown name is fine. */
  disconnect(server: string): Promise<void>;
  has(server: string): boolean;
  /**
   * Calls a tool. `args`: a JSON object (bigint allowed), or `JsonText`, which keeps every number as it is
   * written. `onId` hears the request id that `cancel` takes.
   */
  callTool(
    server: string, tool: string, args: unknown,
    o: McpCallOptions & Pick<OpCall, "origin" | "aside"> & { readonly onId?: ((id: number) => void) | undefined },
  ): Promise<McpToolResult>;
  /** Ends a call under way; false when there is no such server or call. */
  cancel(server: string, id: number): boolean;
  /** All pages. */
  listTools(server: string, o: McpCallOptions): Promise<readonly McpObject[]>;
  listResources(server: string, o: McpCallOptions): Promise<readonly McpObject[]>;
  listResourceTemplates(server: string, o: McpCallOptions): Promise<readonly McpObject[]>;
  listPrompts(server: string, o: McpCallOptions): Promise<readonly McpObject[]>;
  readResource(server: string, uri: string, o: McpCallOptions): Promise<readonly McpObject[]>;
  subscribeResource(server: string, uri: string, o: McpCallOptions): Promise<void>;
  unsubscribeResource(server: string, uri: string, o: McpCallOptions): Promise<void>;
  getPrompt(
    server: string, prompt: string, args: unknown, o: McpCallOptions,
  ): Promise<{ readonly messages: readonly McpObject[]; readonly description?: string }>;
  complete(
    server: string, what: { readonly ref: unknown; readonly arg: string; readonly value: string },
    o: McpCallOptions,
  ): Promise<{ readonly values: readonly string[]; readonly total?: number; readonly hasMore?: boolean }>;
  /** Milliseconds of a round trip. */
  ping(server: string, o: McpCallOptions): Promise<number>;
  /** What the server said of itself when it was connected. */
  serverInfo(server: string): McpServerInfo;
  /** Tells a server that the roots changed; false when there is no such server. */
  notifyRootsListChanged(server: string): Promise<boolean>;
  /**
   * Hears notices of one server, or of all (`undefined`); one listener for each, the last
   * wins.
   */
  listen(type: McpNoticeType, server: string | undefined, hear: McpListener | undefined): void;
  /** Answers what servers ask; of one server before that for all. */
  handle<K extends keyof McpHandlers>(
    what: K, server: string | undefined, answer: McpHandlers[K] | undefined,
  ): void;
  /** Servers, listeners and handlers of their own, for one run of an agent; closed with its parent. */
  scope(): Mcp;
  /** Closes every server at once: end of input, 2 s, SIGTERM, 2 s, SIGKILL. Nothing connects afterwards. */
  close(): Promise<McpClosed>;
}
