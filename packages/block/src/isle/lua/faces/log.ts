/** `log`, and what a script may know of its block: `mesh.agent_id()`, `std.env.agent_id()`, `std.env.project_root()`. */
import { isFault } from "@atoll-run/core";
import type { Tenant } from "../../thread/tenant.ts";
import { TYPE } from "../exports.ts";
import { OutOfMemory } from "../vm-errors.ts";
import { define, runLua } from "./face.ts";

const SOURCE = String.raw`
local note = ...
local tostring, type = tostring, type
log = {}
for _, level in ipairs{"debug", "info", "warn", "error"} do
  log[level] = function(msg, fields)
    if type(fields) ~= "table" then fields = nil end
    note(level, tostring(msg), fields)
  end
end
`;

export function installLog(isle: Tenant): void {
  const { state } = isle.vm;
  runLua(isle, "log", SOURCE, [(L) => {
    const level = state.lossyText(L, 1) as Parameters<Tenant["note"]>[0];
    const fields = { ...readFields(isle, L, 3), script: isle.setup.scriptName };
    isle.note(level, "lua", state.lossyText(L, 2), fields);
    return 0;
  }]);
  const { agentId, projectRoot } = isle.setup;
  const known = [["mesh.agent_id", agentId], ["std.env.agent_id", agentId], ["std.env.project_root", projectRoot]] as const;
  for (const [name, value] of known) {
    define(isle, name, (L) => {
      state.push(L, value);
      return 1;
    });
  }
}

/**
 * Fields of a log line: whatever plain data the table has. What cannot be said is said so; logging never
 * raises.
 */
function readFields(isle: Tenant, L: number, index: number): Record<string, unknown> {
  const { state } = isle.vm;
  if (state.x.lua_type(L, index) !== TYPE.table) return {};
  try {
    const read = state.get(L, index);
    if (!Array.isArray(read)) return { ...(read as object) };
    return Object.fromEntries(read.map((value, i) => [String(i + 1), value]));
  } catch (error) {
    if (!isFault(error) && !(error instanceof OutOfMemory)) throw error;
    return { fields: error.message };
  }
}
