---@meta

---What a model is told of a tool.
---@class ToolSchema
---@field description? string When and how to use it.
---@field input_schema? any JSON Schema of its input.
local ToolSchema = {}

---What a model is not told of a tool.
---@class ToolMeta
---@field group? string Name of a group of tools.
local ToolMeta = {}

---A tool as a model is told of it.
---@class ToolEntry
---@field name string Its name.
---@field description string When and how to use it.
---@field input_schema any JSON Schema of its input.
---@field group? string Name of a group of tools.
local ToolEntry = {}

---Tools that a model, or another part of the script, can call.
tool = {}

---Registers a tool; one of the same name is replaced in its place.
---@param name string Name of the tool.
---@param schema ToolSchema What a model is told of it.
---@param handler fun(input: any): any Gets the input.
---@param meta? ToolMeta `group`: name of a group of tools.
function tool.register(name, schema, handler, meta) end

---Calls a tool and gives its first result.
---@async
---@param name string Name of the tool.
---@param input? any What it is called with.
---@return any
function tool.call(name, input) end

---Names of all tools, in order of registration.
---@return string[]
function tool.list() end

---All tools as a model is told of them, in order of registration.
---@return ToolEntry[]
function tool.schema() end

---Takes a tool away; true when it was there.
---@param name string Name of the tool.
---@return boolean
function tool.unregister(name) end
