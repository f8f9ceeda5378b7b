/**
 * The Lua part of `std.task`. A task's record holds what it gave until it is joined, and lives as long as its
 * handle or its coroutine: nothing is kept for tasks nobody can ask about. Host functions are those of
 * task.ts, by their names there.
 */
export const TASK_FIRST = String.raw`
local later = ...
local task = {}
for name in string.gmatch("spawn sleep yield checkpoint current cancel_token scope with_timeout", "%S+") do
  task[name] = later(name)
end
std.task = task
`;

export const TASK_SOURCE = String.raw`
local type, error, pcall, next, tostring, tonumber, setmetatable, rawget, format =
  type, error, pcall, next, tostring, tonumber, setmetatable, rawget, string.format
local BAD = "script.argument"
local task = {}

local function weak() return setmetatable({}, {__mode = "k"}) end
local handles, scopes, tokens = weak(), weak(), weak()
local KIND = {[handles] = "task handle", [scopes] = "task scope", [tokens] = "cancel token"}
local function class(name)
  local methods = {}
  return methods, {__index = methods, __name = name, __metatable = name}
end
local Handle, HANDLE = class(KIND[handles])
local Scope, SCOPE = class(KIND[scopes])
local Token, TOKEN = class(KIND[tokens])

-- private part of an object of ours
local function of(objects, self, what)
  local own = objects[self]
  if own == nil then bad(what, 1, KIND[objects], type(self)) end
  return own
end

local function duration(fn, index, label, value)
  local ms = (type(value) == "number" or type(value) == "string") and tonumber(value)
  if not ms then bad(fn, index, "number", type(value)) end
  if ms ~= ms or ms < 0 or ms == 1 / 0 then
    fail(BAD, format("%s: invalid duration (%s=%s)", fn, label, ms ~= ms and "NaN" or format("%.14g", ms)))
  end
  if ms > 2^53 then fail(BAD, format("%s: duration out of range (%s=%.14g)", fn, label, ms)) end
  return ms
end

-- ---- tasks

local STOP = {__close = function(guard)
  local rec = guard[1]
  rec.ended = clock()
  if rec.how == "begun" and aborting() then rec.how = "aborted" end
end}
local LOST = {__gc = function(rec) if not rec.joined then lost(rec.n) end end}

local function finish(rec, ok, value)
  if ok then
    rec.value, rec.how = value, "returned"
    return
  end
  rec.value, rec.how = value, "failed"
  if rec.joined then return end
  local fine, text = pcall(tostring, value)
  if failed(rec.n, fine and text or type(value)) then setmetatable(rec, LOST) end
end

-- how: "" until the task has its turn, then "begun" until it ends
local function record()
  return {n = 0, how = "", value = false, joined = false, started = clock(), ended = false}
end

local function body(rec, fn, arg)
  return function()
    rec.how = "begun"
    local guard <close> = setmetatable({rec}, STOP)
    finish(rec, pcall(fn, arg))
  end
end

local DRIVERS = {async_fn = true, async = true, coroutine = true}
local function options(fn, opts)
  if opts == nil then return end
  if type(opts) ~= "table" then bad(fn, 2, "table", type(opts)) end
  for key in next, opts do
    if type(key) ~= "string" then fail(BAD, "std.task: opts keys must be strings, got " .. type(key)) end
    if key ~= "name" and key ~= "driver" then
      fail(BAD, "std.task: unknown opts key '" .. key .. "' (expected 'name' or 'driver')")
    end
  end
  local name, driver = rawget(opts, "name"), rawget(opts, "driver")
  if name ~= nil and type(name) ~= "string" then
    fail(BAD, "std.task: opts.name: expected string, got " .. type(name))
  end
  if driver ~= nil and type(driver) ~= "string" then
    fail(BAD, "std.task: opts.driver: expected string, got " .. type(driver))
  end
  -- each driver lets coroutine.yield(ms) sleep here, so they differ in nothing
  if driver ~= nil and not DRIVERS[driver] then
    fail(BAD, "std.task: unknown driver '" .. driver .. "' (expected 'async_fn' or 'coroutine')")
  end
  return name
end

local function spawn(what, scope, fn, opts)
  if type(fn) ~= "function" then bad(what, 1, "function", type(fn)) end
  local name = options(what, opts)
  local rec = record()
  local handle = setmetatable({id = "", name = name}, HANDLE)
  handles[handle] = rec
  rec.n = start(body(rec, fn), name, scope)
  handle.id = "t" .. rec.n
  return handle
end

function task.spawn(fn, opts) return spawn("task.spawn", nil, fn, opts) end

function Handle:join()
  local rec = of(handles, self, "task.join")
  if rec.joined then fail("task.joined", "task already joined") end
  rec.joined = true
  if running(rec.n) then
    local ok, e = pcall(await, rec.n)
    if not ok then
      rec.joined = false
      error(e, 0)
    end
  end
  taken(rec.n)
  local how, value = rec.how, rec.value
  rec.value = nil
  if how == "returned" then return value end
  if how == "failed" then error(value, 0) end
  if how == "begun" then fail("runtime.failed", "task panicked") end
  fail("task.aborted", "task aborted")
end

function Handle:abort() abort(of(handles, self, "task.abort").n) end

function Handle:is_finished() return not running(of(handles, self, "task.is_finished").n) end

function Handle:elapsed()
  local rec = of(handles, self, "task.elapsed")
  local now = clock()
  -- one that was aborted before its first turn did not note its end
  if not rec.ended and not running(rec.n) then rec.ended = now end
  return ((rec.ended or now) - rec.started) // 1 | 0
end

-- ---- waits

function task.sleep(ms) return pause(duration("std.task.sleep", 1, "ms", ms)) end
function task.yield() return pause(0) end
function task.checkpoint()
  check()
  pause(0)
  check()
end

function task.current()
  local n, name, cancelled = current()
  return n and {id = "t" .. n, name = name, cancelled = cancelled} or nil
end

-- ---- tokens

local function token(own)
  local object = setmetatable({}, TOKEN)
  tokens[object] = own
  return object
end
local function is_cancelled(own) return own.cancelled or own.s ~= nil and scope_cancelled(own.s) end

function task.cancel_token() return token({cancelled = false}) end

function Token:cancel()
  local own = of(tokens, self, "token.cancel")
  if own.s ~= nil then cancel_scope(own.s) end
  own.cancelled = true
end
function Token:is_cancelled() return is_cancelled(of(tokens, self, "token.is_cancelled")) end
function Token:check()
  if is_cancelled(of(tokens, self, "token.check")) then fail("task.cancelled", "task cancelled") end
end

-- ---- scopes: own.s is the number of one that is open

local LEAVE = {__close = function(guard)
  local own = guard[1]
  own.cancelled = is_cancelled(own)
  close_scope(own.s)
  own.s = nil
end}

local function enter(name)
  local scope = setmetatable({name = name}, SCOPE)
  local own = {s = open_scope(), cancelled = false}
  scopes[scope] = own
  return scope, own
end

function Scope:spawn(fn, opts)
  local own = of(scopes, self, "scope.spawn")
  if own.s == nil then fail("runtime.failed", "std.task: this scope has ended") end
  return spawn("scope.spawn", own.s, fn, opts)
end
function Scope:cancel()
  local own = of(scopes, self, "scope.cancel")
  if own.s ~= nil then cancel_scope(own.s) end
end
function Scope:token() return token(of(scopes, self, "scope.token")) end

local function settle(own, ok, value)
  if not ok then cancel_scope(own.s) end
  drain(own.s)
  if not ok then error(value, 0) end
  check()
  return value
end

function task.scope(name, fn)
  local index = 2
  if fn == nil and type(name) == "function" then index, name, fn = 1, nil, name end
  if type(fn) ~= "function" then bad("task.scope", name == nil and 1 or index, "function", type(fn)) end
  if name ~= nil and type(name) ~= "string" then bad("task.scope", 1, "string", type(name)) end
  local scope, own = enter(name)
  local guard <close> = setmetatable({own}, LEAVE)
  return settle(own, pcall(fn, scope))
end

local function grace(opts)
  if opts == nil then return default_grace end
  if type(opts) ~= "table" then bad("task.with_timeout", 3, "table", type(opts)) end
  for key in next, opts do
    if key ~= "grace_ms" then
      fail(BAD, "task.with_timeout: unknown opts key '" .. tostring(key) .. "' (expected 'grace_ms')")
    end
  end
  local ms = rawget(opts, "grace_ms")
  if ms == nil then return default_grace end
  if type(ms) ~= "number" then
    fail(BAD, "task.with_timeout: opts.grace_ms must be a number, got " .. type(ms))
  end
  return duration("task.with_timeout", 3, "grace_ms", ms)
end

-- the body is a task of its own, so that it alone can be ended; it runs in the name of this one
function task.with_timeout(limit, fn, opts)
  local ms = duration("task.with_timeout", 1, "ms", limit)
  if type(fn) ~= "function" then bad("task.with_timeout", 2, "function", type(fn)) end
  local grace_ms = grace(opts)
  check()
  local scope, own = enter(nil)
  local guard <close> = setmetatable({own}, LEAVE)
  local rec = record()
  rec.joined = true
  run_body(own.s, body(rec, fn, scope), ms, grace_ms)
  await_body(own.s)
  if rec.how ~= "returned" then cancel_scope(own.s) end
  drain(own.s)
  if rec.how == "failed" then error(rec.value, 0) end
  if expired(own.s) then fail("task.timeout", format("task.with_timeout: exceeded %.14g ms", ms)) end
  if rec.how ~= "returned" then fail("task.aborted", "task aborted") end
  check()
  return rec.value
end
return task
`;
