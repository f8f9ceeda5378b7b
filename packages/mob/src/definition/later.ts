/** What a definition may not say, and why: not yet, or not there. */

const LATER: Readonly<Record<string, string>> = {
  routes: "there is no router yet, so no routes", schedules: "there is no scheduler yet: a timer of your own can run atoll mob flow run",
  contacts: "other mobs cannot be reached yet", peer_grants: "other mobs cannot reach this one yet", console: "the page has no settings yet",
  modules: "there are no modules yet: a script reaches MCP servers by mcp.connect", "mob.modules": "there are no modules yet: a script reaches MCP servers by mcp.connect",
  memory: "there is no memory yet beside sessions and std.kv", delivery: "nothing is delivered yet", deliveries: "nothing is delivered yet",
};

/** Sections of `atoll.toml`. */
const DEPLOYMENT: ReadonlySet<string> = new Set(["engine", "http", "state", "log", "realm", "listen", "node", "identity", "telemetry", "security"]);

/** Of a step of a flow. */
const LATER_STEP: Readonly<Record<string, string>> = {
  tool: "there are no modules yet, so no tools beside those of members", when: "there are no conditions yet: a member can look and answer",
  branch: "there are no conditions yet, so no branches", repeat: "there are no loops yet",
};

export function whyNot(path: string): string | undefined {
  if (DEPLOYMENT.has(path)) return `${path} says where and how the mob runs: it stands in atoll.toml`;
  const [, key = ""] = /^flows\.[^.]+\.steps\.[^.]+\.(\w+)$/.exec(path) ?? [];
  if (Object.hasOwn(LATER_STEP, key)) return `${key} is for a later version: ${LATER_STEP[key] ?? ""}`;
  if (/^approvals\[\d+\]\.conflicts$/.test(path)) return "conflicts is for a later version: there is no memory yet to find them in";
  return Object.hasOwn(LATER, path) ? `${path} is for a later version: ${LATER[path] ?? ""}` : undefined;
}
