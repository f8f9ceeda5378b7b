---@meta

---An event as its handler gets it.
---@class BusEvent
---@field kind string Kind of the event.
---@field id string Id of the event.
---@field payload? any What it carries.
---@field meta? any Who sent it and how long it may take: `{from, deadline_ms}` of a peer's request.
---@field tx? EventTx What is to be done together with the answer; only when a node delivered the event.
local BusEvent = {}

---Records; all of it is done in the one commit that finishes the event, or nothing.
---@class EventTx
local EventTx = {}

---Puts a document.
---@async
---@param ns string Name of the space.
---@param key string Key.
---@param value any Plain data.
function EventTx:set(ns, key, value) end

---Removes a document.
---@async
---@param ns string Name of the space.
---@param key string Key.
function EventTx:delete(ns, key) end

---The document, with what was recorded here.
---@async
---@param ns string Name of the space.
---@param key string Key.
---@return any?
function EventTx:get(ns, key) end

---Tells a node once the event is finished, until it took it.
---@async
---@param to string Address of the node.
---@param route string Route of the message.
---@param payload? any Plain data.
function EventTx:tell(to, route, payload) end

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
