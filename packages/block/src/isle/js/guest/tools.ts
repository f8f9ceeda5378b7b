/** Inside an isle: the registry of tools, host tools first. */
import type { Any, Guest } from "./guest.ts";

export function tools(g: Guest): void {
  const { tool } = g.api;
  interface Entry { name: string; schema: Any; handler: Any; group: string | undefined }
  const registry = new Map<string, Entry>();
  const note = (event: string, name: string, more = {}): void =>
    g.note("info", "lua", event, { prefix: "ab.obs", event, tool: name, ...more });

  for (const t of g.setup.tools) {
    const handler = (input: unknown): Promise<Any> => g.call("tool.host", [t.name, input]);
    registry.set(t.name, { name: t.name, schema: t, handler, group: t.group });
  }
  tool.register = (name: unknown, schema: Any, handler: unknown, meta?: Any) => {
    if (typeof name !== "string") throw g.wrongType("tool.register", 1, "string", name);
    if (typeof schema !== "object" || schema === null) throw g.wrongType("tool.register", 2, "table", schema);
    if (typeof handler !== "function") throw g.wrongType("tool.register", 3, "function", handler);
    if (meta !== undefined && (typeof meta !== "object" || meta === null)) throw g.wrongType("tool.register", 4, "table", meta);
    const again = registry.has(name);
    registry.set(name, { name, schema, handler, group: meta?.group });
    note("tool_register", name);
    if (again) g.note("warn", "tool", `tool.register: '${name}' is already registered; replacing it`);
  };
  tool.call = async (name: unknown, input?: unknown) => {
    if (typeof name !== "string") throw g.wrongType("tool.call", 1, "string", name);
    const entry = registry.get(name);
    if (entry === undefined) throw g.error("tool.not_found", `tool not found: ${name}`, { name });
    note("tool_call", name);
    try {
      const value = await entry.handler(input);
      note("tool_result", name, { ok: true });
      return value;
    } catch (error) {
      note("tool_result", name, { ok: false });
      throw error;
    }
  };
  tool.list = () => [...registry.keys()];
  tool.schema = () => [...registry.values()].map(({ name, schema, group }) => ({
    name, description: schema.description ?? "", input_schema: schema.input_schema ?? {},
    ...(group === undefined ? {} : { group }),
  }));
  tool.unregister = (name: string) => registry.delete(name);
}
