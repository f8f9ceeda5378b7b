---@meta session

---Conversations that outlive a run, kept in std.kv.
local session = {}

---The stored messages; `{}` when there are none.
---@async
---@param id string Any name.
---@return any[]
function session.load(id) end

---Replaces what is stored; when it returns, it is on disk.
---@async
---@param id string Any name.
---@param messages any[] As `agent.run` gives them.
function session.save(id, messages) end

---Forgets a conversation; true when there was one.
---@async
---@param id string Any name.
---@return boolean
function session.clear(id) end

return session
