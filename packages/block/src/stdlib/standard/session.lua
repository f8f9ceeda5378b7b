-- Conversations that outlive a run: the messages of an agent, kept in std.kv by an id of the script's choice. It is the
-- place where agent.run{session = id} keeps its own.
local M = {NS = "_agent_block_session"}

local function key(id)
  if type(id) ~= "string" or id == "" then error("session: id must be a non-empty string", 0) end
  return id
end

--- The stored messages; `{}` when there are none.
function M.load(id)
  local messages = std.kv.get(M.NS, key(id))
  return type(messages) == "table" and messages or {}
end

--- Replaces what is stored; it is durable when this returns.
function M.save(id, messages)
  key(id)
  if type(messages) ~= "table" then error("session: save: messages must be a table", 0) end
  -- no messages are an empty list, not an empty object
  std.kv.set(M.NS, id, next(messages) == nil and std.json.array({}) or messages)
end

--- Whether there was something to forget.
function M.clear(id)
  return std.kv.delete(M.NS, key(id))
end

return M
