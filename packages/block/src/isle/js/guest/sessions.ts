/** Inside an isle: `session`, and those functions of `mcp` that keep a function of the script. */
import type { Any, Guest } from "./guest.ts";

export function sessions(g: Guest): void {
  const { session, mcp, std } = g.api;
  const LISTEN = ["on_progress", "on_log", "on_resource_update", "on_resources_list_changed", "on_tools_list_changed",
    "on_prompts_list_changed", "set_sampling_handler", "set_roots_handler", "set_elicitation_handler"];
  for (const name of LISTEN) {
    const shown = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    mcp[shown] = async (...given: Any[]) => {
      const server = typeof given[0] === "string" ? given.shift() : undefined;
      const [fn] = given;
      if (fn !== undefined && fn !== null && typeof fn !== "function") {
        throw g.wrongType(`mcp.${name}`, server === undefined ? 1 : 2, "function", fn);
      }
      await g.call("mcp.listen", [name, server, fn ?? undefined], { keeps: true });
    };
  }

  const NS = "_agent_block_session";
  const key = (id: unknown): string => {
    if (typeof id !== "string" || id === "") throw new Error("session: id must be a non-empty string");
    return id;
  };
  session.load = async (id: unknown) => {
    const messages = await std.kv.get(NS, key(id));
    return typeof messages === "object" && messages !== null ? messages : [];
  };
  session.save = async (id: unknown, messages: unknown) => {
    key(id);
    if (typeof messages !== "object" || messages === null) throw new Error("session: save: messages must be a table");
    await std.kv.set(NS, id, messages);
  };
  session.clear = async (id: unknown) => await std.kv.delete(NS, key(id));
}
