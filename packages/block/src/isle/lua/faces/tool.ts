/** `tool`: a registry in the isle itself, host tools first, in order of registration. */
import type { Value } from "../../../bridges/op.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { blockError } from "../../../errors.ts";
import { callOrThrow } from "../prelude.ts";
import { runLua } from "./face.ts";

const SOURCE = String.raw`
local keep, hostcall, note, missing, bad = ...
local type, pairs, pcall, error, tostring, remove = type, pairs, pcall, error, tostring, table.remove
local order, registry = {}, {}
_TOOL_REGISTRY = registry
tool = {}

local function put(name, schema, handler, group)
  local seen = registry[name] ~= nil
  registry[name] = {name = name, schema = schema, handler = handler, group = group}
  if not seen then order[#order + 1] = name end
  return seen
end

keep(function(hosttools)
  for i = 1, #hosttools do
    local t = hosttools[i]
    local function call(input) return hostcall(t.name, input) end
    put(t.name, {description = t.description, input_schema = t.input_schema}, call, t.group)
  end
end)

function tool.register(name, schema, handler, meta)
  if type(name) ~= "string" then bad("tool.register", 1, "string", type(name)) end
  if type(schema) ~= "table" then bad("tool.register", 2, "table", type(schema)) end
  if type(handler) ~= "function" then bad("tool.register", 3, "function", type(handler)) end
  if meta ~= nil and type(meta) ~= "table" then bad("tool.register", 4, "table", type(meta)) end
  local again = put(name, schema, handler, meta and meta.group)
  note("tool_register", name)
  if again then note("again", name) end
end

local function finish(name, ok, ...)
  note("tool_result", name, ok)
  if not ok then error((...), 0) end
  return (...)
end

function tool.call(name, input)
  if type(name) ~= "string" then bad("tool.call", 1, "string", type(name)) end
  local entry = registry[name]
  if entry == nil then missing(name) end
  note("tool_call", name)
  return finish(name, pcall(entry.handler, input))
end

-- a name set to nil by hand in _TOOL_REGISTRY is gone; one added by hand comes last
local function names()
  local list, seen = {}, {}
  for i = 1, #order do
    if registry[order[i]] ~= nil then list[#list + 1] = order[i]; seen[order[i]] = true end
  end
  local added = {}
  for name in pairs(registry) do if not seen[name] then added[#added + 1] = tostring(name) end end
  table.sort(added)
  for i = 1, #added do list[#list + 1] = added[i] end
  return list
end

function tool.list() return names() end

function tool.schema()
  local out = {}
  for i, name in ipairs(names()) do
    local entry = registry[name]
    local schema = entry.schema or {}
    out[i] = {
      name = name, description = schema.description or "", input_schema = schema.input_schema or {},
      group = entry.group,
    }
  end
  return out
end

function tool.unregister(name)
  if registry[name] == nil then return false end
  registry[name] = nil
  for i = #order, 1, -1 do if order[i] == name then remove(order, i) end end
  return true
end
`;

export function installTool(isle: Tenant): void {
  const { state } = isle.vm;
  runLua(isle, "tool", SOURCE, [
    (L) => {
      state.remember(L, "host tools");
      return 0;
    },
    (L) => {
      const input = state.x.lua_type(L, 2) <= 0 ? "null" : isle.json.encodeText(L, 2, "tool.call");
      return isle.call(L, "tool.host", [state.lossyText(L, 1), input]);
    },
    (L) => {
      const event = state.lossyText(L, 1);
      const name = state.lossyText(L, 2);
      if (event === "again") {
        isle.note("warn", "tool", `tool.register: '${name}' is already registered; replacing it`);
      } else {
        const result = event === "tool_result" ? { ok: state.x.lua_toboolean(L, 3) !== 0 } : {};
        const fields = { prefix: "ab.obs", event, tool: name, ...result };
        isle.note("info", "lua", event, fields);
      }
      return isle.caughtUp(L);
    },
    (L) => {
      throw blockError("tool.not_found", `tool not found: ${state.lossyText(L, 1)}`,
        { facts: { name: state.lossyText(L, 1) } });
    },
    (L) => {
      const [fn = "", index = "", wanted = "", got = ""] = [1, 2, 3, 4].map((i) => state.lossyText(L, i));
      throw blockError("script.argument", `${fn}: argument #${index} must be a ${wanted}, got ${got}`,
        { facts: { fn, index: Number(index), wanted, got } });
    },
  ]);
}

/** The tools of the isle's own block: they come before those of its script. */
export function giveHostTools(isle: Tenant): void {
  const { state } = isle.vm;
  const { hostTools } = isle.setup;
  if (hostTools.length === 0) return;
  state.pushKnown(state.main, "host tools");
  state.push(state.main, hostTools.map((t) => ({
    name: t.name, description: t.description, input_schema: JSON.parse(t.input_schema) as Value,
    ...(t.group === undefined ? {} : { group: t.group }),
  })));
  callOrThrow(isle.vm, 1, 0);
}
