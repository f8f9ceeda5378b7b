---@meta

---Environment of the block.
std.env = {}

---A variable, or nil; nil too when no grant covers it.
---@async
---@param key string Name.
---@return string?
function std.env.get(key) end

---A variable, or the default.
---@async
---@param key string Name.
---@param default any What is given when it is not there.
---@return any
function std.env.get_or(key, default) end

---Sets a variable for both isles and for children.
---@async
---@param key string Name.
---@param value string Text.
function std.env.set(key, value) end

---The home folder, or nil.
---@async
---@return string?
function std.env.home() end

---The address of this agent; empty when it has none.
---@return string
function std.env.agent_id() end

---The absolute path of the project.
---@return string
function std.env.project_root() end
