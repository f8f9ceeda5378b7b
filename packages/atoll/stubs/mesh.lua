---@meta

---How long to wait for a peer.
---@class MeshOptions
---@field timeout_ms? integer Milliseconds.
local MeshOptions = {}

---Other agents: asking them and being asked.
mesh = {}

---Sends a message to a peer and waits until it was handled; the answer is dropped.
---@async
---@param id string Address of the peer.
---@param payload? any Plain data, at most 4 MiB.
---@param opts? MeshOptions `timeout_ms`: default 10,000.
function mesh.send(id, payload, opts) end

---Asks a peer and gives its answer.
---@async
---@param id string Address of the peer.
---@param payload? any Plain data, at most 4 MiB.
---@param opts? MeshOptions `timeout_ms`: default 30,000, or what is left of the event being handled.
---@return any?
function mesh.request(id, payload, opts) end

---The address of this agent; empty when it has none.
---@return string
function mesh.agent_id() end

---Handles what peers ask: the same as `bus.on("mesh", handler, opts)`.
---@async
---@param handler fun(event: BusEvent): any Gets the event; what it returns is the answer.
---@param opts? HandlerOptions `isle`: "main" keeps the handler in the isle of the script; `timeout_ms`: time for one event.
function mesh.on(handler, opts) end
