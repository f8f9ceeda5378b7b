---@meta

---An event as its handler gets it.
---@class BusEvent
---@field kind string Kind of the event.
---@field id string Id of the event.
---@field payload? any What it carries.
---@field meta? any Who sent it and how long it may take: `{from, deadline_ms}` of a peer's request.
local BusEvent = {}

---How a handler runs.
---@class HandlerOptions
---@field isle? ("main" | "handler") Where it runs; default `handler`, where it never blocks the script.
---@field timeout_ms? integer Milliseconds one event may take.
local HandlerOptions = {}

---The block's own event queue: what comes in, and who handles it.
bus = {}

---Handles the events of one kind; the last registration wins.
---@async
---@param kind string Kind of the events.
---@param handler fun(event: BusEvent): any Gets the event; what it returns is the answer.
---@param opts? HandlerOptions `isle`: "main" keeps the handler in the isle of the script; `timeout_ms`: time for one event.
function bus.on(kind, handler, opts) end

---Handles the events that no other handler is for.
---@async
---@param handler fun(event: BusEvent): any Gets the event; what it returns is the answer.
---@param opts? HandlerOptions `isle`: "main" keeps the handler in the isle of the script; `timeout_ms`: time for one event.
function bus.on_any(handler, opts) end

---Puts an event into the queue; waits while it is full.
---@async
---@param kind string Kind of the event.
---@param payload? any Plain data.
---@param id? string Its id; default a fresh UUID.
function bus.emit(kind, payload, id) end

---Hands out events until the run is told to stop, then returns.
---@async
function bus.serve() end
