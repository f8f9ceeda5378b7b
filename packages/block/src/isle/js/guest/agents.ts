/** Inside an isle: `agent`. */
import type { Any, Guest } from "./guest.ts";

export function agents(g: Guest): void {
  const { agent, tool } = g.api;

  const failure = (text: string, code = "agent.invalid"): Any => ({
    ok: false, content: "", num_turns: 0, messages: [], stopped_by: "error", error: text, error_code: code,
    usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 },
  });
  const CALLBACKS = ["on_turn", "on_delta", "on_progress", "on_log", "sampling"];

  const run = async (given: Any, signal: unknown): Promise<Any> => {
    const { extra_tools: extras = [], mcp_servers: servers, ...rest } = given;
    const functions: Record<string, Any> = {};
    for (const name of CALLBACKS) if (typeof rest[name] === "function") functions[name] = rest[name];
    const samplers: Record<string, Any> = {};
    for (const one of servers ?? []) if (typeof one.sampling === "function") samplers[one.name] = one.sampling;
    if (Object.keys(samplers).length > 0) {
      functions["sampling"] = (server: string, params: string) => (samplers[server] ?? rest.sampling)?.(server, params);
    }
    const data: Any = Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value !== "function"));
    data.tools = tool.schema();
    data.extra_tools = extras.map(({ schema, ...one }: Any) => ({ ...one, ...schema, handler: undefined }));
    if (servers !== undefined) data.mcp_servers = servers.map((one: Any) => ({ ...one, ...(samplers[one.name] ? { sampling: true } : {}) }));
    functions["tool"] = async (list: "tools" | "extra_tools", index: number, input: unknown) => {
      try {
        const handler = list === "extra_tools" ? extras[index - 1]?.handler : undefined;
        const value = await (handler === undefined ? tool.call(data[list][index - 1].name, input) : handler(input));
        return typeof value === "object" && value !== null ? g.now("encode", "", value) : value === undefined || value === null ? "nil" : String(value);
      } catch (error) {
        return { error: (g.told(error) as Any).text, park: (error as Any)?.facts?.park };
      }
    };
    return await g.call("agent.run", [g.now("encode", "", data), functions], { signal });
  };

  agent.run = async (opts: Any) => {
    if (typeof opts !== "object" || opts === null) return failure("prompt is required");
    const { signal } = opts;
    const given = g.snake(opts);
    if (given.history !== undefined && (typeof given.history !== "object" || given.history === null)) {
      return failure("history must be a table (messages array)");
    }
    try {
      return await run(given, signal);
    } catch (error: Any) {
      if (error?.facts?.park !== undefined) throw error;
      return failure((g.told(error) as Any).text, error?.code ?? "runtime.failed");
    }
  };
}
