/**
 * Host half of `mcp` (spec: block 5.7). takes what scripts pass; gives tables, as JSON text that keeps every
 * number; promises the kinds of the specification: a call raises, gives `{ok = false, error, code}`, or only
 * warns; refuses by grant and guard, which are asked in `mcp/servers.ts`.
 */
import { isFault } from "@atoll-run/core";
import type {
  Mcp, McpCapability, McpHandlers, McpListener, McpNoticeType, McpServerSpec, McpToolResult,
} from "../mcp/types.ts";
import { type Fields, readFields, readFlag, readNumber, readText, wrongType } from "./arguments.ts";
import { JsonText, type Op, type OpCall, type Ops, type Value } from "./op.ts";

export interface McpOpParts {
  readonly servers: Mcp;
  /** Lets go of a function of a script. */
  release(isle: OpCall["isle"], ref: number): void;
}

export interface McpOps {
  readonly ops: Ops;
  /** Forgets the functions of an isle that is gone. */
  isleGone(isle: OpCall["isle"]): void;
}

const LISTENERS: Readonly<Record<string, McpNoticeType>> = {
  on_progress: "progress", on_log: "log", on_resource_update: "resource_update",
  on_resources_list_changed: "resources_list_changed", on_tools_list_changed: "tools_list_changed",
  on_prompts_list_changed: "prompts_list_changed",
};
const HANDLERS: Readonly<Record<string, keyof McpHandlers>> = {
  set_sampling_handler: "sampling", set_roots_handler: "roots", set_elicitation_handler: "elicitation",
};

export function mcpOps(parts: McpOpParts): McpOps {
  const { servers } = parts;
  const functions = new Functions(parts);
  return {
    ops: {
      "mcp.connect": async ([server, command, args, opts], call) => {
        await servers.connect(readStdio(text(server), text(command), { args, opts }), call);
        return undefined;
      },
      "mcp.connect_http": async ([server, url, opts], call) => {
        await servers.connect(readHttp(text(server), text(url), opts), call);
        return undefined;
      },
      "mcp.disconnect": async ([server]) => {
        await servers.disconnect(text(server));
        return undefined;
      },
      "mcp.call": told((args, call) => callTool(servers, args, call), ({ content, isError, structuredContent }) =>
        ({ content, is_error: isError, structured_content: structuredContent })),
      ...listings(servers), ...resources(servers),
      "mcp.get_prompt": told(async ([server, prompt, args], call) =>
        servers.getPrompt(text(server), text(prompt), json(args), call)),
      "mcp.complete": told(async ([server, ref, arg, value], call) => {
        const parsed: unknown = JSON.parse(String(ref ?? "null"));
        const what = { ref: parsed, arg: text(arg), value: text(value) };
        const { values, total, hasMore } = await servers.complete(text(server), what, call);
        return { values, total, has_more: hasMore };
      }),
      "mcp.ping": told(async ([server], call) =>
        ({ latency_ms: await servers.ping(text(server), call) })),
      "mcp.server_info": told(async ([server]) => ({ server_info: servers.serverInfo(text(server)) })),
      "mcp.cancel": warning("cancel", async ([server, id], call) => {
        if (servers.cancel(text(server), Number(id))) return;
        call.log("warn", "mcp", `mcp cancel: no request ${String(id)} is under way on '${text(server)}'`);
      }),
      "mcp.notify_roots_list_changed": warning("notify_roots_list_changed", async ([server]) => {
        await servers.notifyRootsListChanged(text(server));
      }),
      "mcp.listen": ([name, server, ref], call) => functions.register(text(name), { server, ref }, call),
    },
    isleGone: (isle) => functions.isleGone(isle),
  };
}

function text(value: Value): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}

function json(value: Value): JsonText | undefined {
  return value === undefined ? undefined : new JsonText(String(value));
}

/** Kind T: `{ok = true, …}`, or `{ok = false, error, code}`. */
function told<T extends object>(
  make: (args: readonly Value[], call: OpCall) => Promise<T>, fields: (result: T) => object = (result) => result,
): Op {
  return async (args, call) => {
    try {
      return new JsonText(JSON.stringify({ ok: true, ...fields(await make(args, call)) }));
    } catch (error) {
      if (call.signal.aborted || !isFault(error) || error.code === "script.argument") throw error;
      return { ok: false, error: error.message, code: error.code };
    }
  };
}

/** Kind F: nil, and a warning. */
function warning(name: string, make: (args: readonly Value[], call: OpCall) => Promise<void>): Op {
  return async (args, call) => {
    try {
      await make(args, call);
    } catch (error) {
      if (call.signal.aborted || !isFault(error)) throw error;
      if (error.code !== "mcp.unknown_server") call.log("warn", "mcp", `mcp ${name}: ${error.message}`);
    }
    return undefined;
  };
}

function callTool(
  servers: Mcp, [server, tool, args, opts]: readonly Value[], call: OpCall,
): Promise<McpToolResult> {
  const given = args === "null" ? undefined : json(args);
  return servers.callTool(text(server), text(tool), given, opts === undefined ? call : toolOptions(opts, call));
}

function toolOptions(opts: Value, call: OpCall): Parameters<Mcp["callTool"]>[3] {
  const fields = readFields("mcp.call: opts", opts);
  const onId = fields["on_id"];
  const hear = typeof onId !== "number" ? undefined : (id: number): void => {
    call.callback(onId, [id]).catch((error: unknown) => {
      if (!call.signal.aborted) call.log("warn", "mcp", `mcp.call: on_id failed: ${String(error)}`);
    });
  };
  const timeoutMs = readMs("mcp.call: opts.timeout_ms", fields["timeout_ms"]);
  const { signal, trace } = call;
  return { signal, trace, timeoutMs, onId: hear, origin: () => call.origin?.(), aside: () => call.aside?.() };
}

function listings(servers: Mcp): Ops {
  return {
    "mcp.list_tools": told(async ([server], call) =>
      ({ tools: await servers.listTools(text(server), call) })),
    "mcp.list_resources": told(async ([server], call) =>
      ({ resources: await servers.listResources(text(server), call) })),
    "mcp.list_resource_templates": told(async ([server], call) =>
      ({ resource_templates: await servers.listResourceTemplates(text(server), call) })),
    "mcp.list_prompts": told(async ([server], call) =>
      ({ prompts: await servers.listPrompts(text(server), call) })),
  };
}

function resources(servers: Mcp): Ops {
  return {
    "mcp.read_resource": told(async ([server, uri], call) =>
      ({ contents: await servers.readResource(text(server), text(uri), call) })),
    "mcp.subscribe_resource": told(async ([server, uri], call) => {
      await servers.subscribeResource(text(server), text(uri), call);
      return {};
    }),
    "mcp.unsubscribe_resource": told(async ([server, uri], call) => {
      await servers.unsubscribeResource(text(server), text(uri), call);
      return {};
    }),
  };
}

// ---- what a script passed

function readStdio(name: string, command: string, o: { args: Value; opts: Value }): McpServerSpec {
  const fields = readFields("mcp.connect: opts", o.opts);
  const where = (field: string): string => `mcp.connect: opts.${field}`;
  return {
    name, command, args: readList("mcp.connect: argument #3", o.args),
    cwd: readText(where("cwd"), fields["cwd"]), env: readTexts(where("env"), fields["env"]),
    ...readCommon(where, fields),
  };
}

function readHttp(name: string, url: string, opts: Value): McpServerSpec {
  const fields = readFields("mcp.connect_http: opts", opts);
  const where = (field: string): string => `mcp.connect_http: opts.${field}`;
  const transport = readText(where("transport"), fields["transport"]) ?? "http";
  if (transport !== "http" && transport !== "sse") {
    return wrongType(where("transport"), `"http" or "sse"`, transport);
  }
  return {
    name, url, authHeader: readText(where("auth_header"), fields["auth_header"]), transport,
    headers: readTexts(where("headers"), fields["headers"]), ...readCommon(where, fields),
  };
}

function readCommon(
  where: (field: string) => string, fields: Fields,
): Pick<McpServerSpec, "traceContext" | "timeoutMs" | "capabilities"> {
  const given = readFields(where("capabilities"), fields["capabilities"]);
  const capabilities: Partial<Record<McpCapability, boolean>> = {};
  for (const one of ["sampling", "roots", "elicitation"] as const) {
    const value = given[one];
    // a table says how, which is the same as yes
    if (value !== undefined) capabilities[one] = value !== false;
  }
  return {
    traceContext: readFlag(where("trace_context"), fields["trace_context"], false),
    timeoutMs: readMs(where("timeout_ms"), fields["timeout_ms"]), capabilities,
  };
}

function readMs(where: string, value: Value): number | undefined {
  const ms = readNumber(where, value);
  if (ms !== undefined && !(ms > 0)) wrongType(where, "positive number", value);
  return ms;
}

function readList(where: string, value: Value): readonly string[] {
  if (value === undefined || value === null) return [];
  if (typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0) return [];
  if (!Array.isArray(value)) return wrongType(where, "list", value);
  return value.map((item: Value, i) => readItem(`${where}[${i + 1}]`, item));
}

function readTexts(where: string, value: Value): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = Object.entries(readFields(where, value));
  return Object.fromEntries(fields.map(([name, item]) => [name, readItem(`${where}.${name}`, item)]));
}

function readItem(where: string, item: Value): string {
  return readText(where, item) ?? wrongType(where, "string", item);
}

// ---- functions of scripts that servers reach

interface Registered {
  readonly isle: OpCall["isle"];
  readonly ref: number;
}

class Functions {
  readonly #parts: McpOpParts;
  readonly #all = new Map<string, Registered>();

  constructor(parts: McpOpParts) {
    this.#parts = parts;
  }

  /** `server` undefined: for all of them; `ref` undefined: no longer. */
  register(name: string, o: { server: Value; ref: Value }, call: OpCall): undefined {
    const server = o.server === undefined ? undefined : text(o.server);
    const key = `${name}:${server ?? ""}`;
    const old = this.#all.get(key);
    if (typeof o.ref === "number") this.#all.set(key, { isle: call.isle, ref: o.ref });
    else this.#all.delete(key);
    this.#put(name, server, typeof o.ref === "number" ? { call, ref: o.ref } : undefined);
    if (old !== undefined) this.#parts.release(old.isle, old.ref);
    return undefined;
  }

  #put(name: string, server: string | undefined, fn: { call: OpCall; ref: number } | undefined): void {
    const { servers } = this.#parts;
    const notice = LISTENERS[name];
    if (notice !== undefined) {
      servers.listen(notice, server, fn === undefined ? undefined : listener(fn));
      return;
    }
    const what = HANDLERS[name] as keyof McpHandlers;
    servers.handle(what, server, fn === undefined ? undefined : handlers(fn)[what]);
  }

  isleGone(isle: OpCall["isle"]): void {
    for (const [key, one] of [...this.#all]) {
      if (one.isle !== isle) continue;
      this.#all.delete(key);
      const [name = "", server = ""] = key.split(/:(.*)/s);
      this.#put(name, server === "" ? undefined : server, undefined);
    }
  }
}

function listener({ call, ref }: { call: OpCall; ref: number }): McpListener {
  return (notice) => call.callback(ref, [{ ...notice }]);
}

function handlers({ call, ref }: { call: OpCall; ref: number }): McpHandlers {
  return {
    sampling: (server, params, o) => call.callback(ref, [server, params], o),
    roots: (server, o) => call.callback(ref, [server], o),
    elicitation: (server, message, { schema, signal }) =>
      call.callback(ref, [server, message, schema], { signal }),
  };
}
