/** Lua source of `io`: what every isle has of it, and the first part of the rest. */

/** The standard streams are values, so they are there from the start. */
export const STREAMS = String.raw`
local later, shared, userdata = ...
local methods = {}
for name in string.gmatch("close flush lines read seek setvbuf write", "%a+") do
  methods[name] = later("file:" .. name)
end
local meta = {__name = "FILE*", __index = methods, __tostring = later("file:tostring")}
local stdin, stdout, stderr = userdata(meta), userdata(meta), userdata(meta)
shared.meta, shared.stdin, shared.stdout, shared.stderr = meta, stdin, stdout, stderr
io = {stdin = stdin, stdout = stdout, stderr = stderr}
for name in string.gmatch("close flush input lines open output popen read tmpfile type write", "%a+") do
  io[name] = later(name)
end
package.loaded.io = io
`;

/** What is known of a file, and errors in the shapes of Lua 5.4. */
export const FILES = String.raw`
local shared, ask, opened, put, drain, drop, userdata, print, flushprint = ...
local CHUNK, WHOLE = 65536, 1048576
local type, error, pcall, select, tostring, tonumber = type, error, pcall, select, tostring, tonumber
local find, sub, byte, format = string.find, string.sub, string.byte, string.format
local gsub, match, pack, unpack, concat = string.gsub, string.match, table.pack, table.unpack, table.concat
local tointeger, mathtype = math.tointeger, math.type
local setmetatable, collectgarbage = setmetatable, collectgarbage

-- what is known of a file: id, op (front of the names of its host ops), r and w (may be read, written),
-- seeks, buf and pos (read ahead), dirty (something waits to be written), mode (setvbuf), std (in, out or err)
local states = setmetatable({}, {__mode = "k"})
local meta = shared.meta
local methods = {}

local function newfile(state, stream)
  state.buf, state.pos = "", 1
  if state.id then opened(state.id, state.op) end
  local f = stream or userdata(meta)
  -- whoever works with the state keeps the file from being collected
  state.file = f
  states[f] = state
  return f
end

-- ---- errors

local function bad(at, what, problem, level)
  error("bad argument #" .. at .. " to '" .. what .. "' (" .. problem .. ")", level + 1)
end

local function typeof(v, none) return none and "no value" or type(v) end

local function wanttext(v, at, what, level, none)
  if type(v) == "string" then return v end
  if type(v) == "number" then return tostring(v) end
  bad(at, what, "string expected, got " .. typeof(v, none), level + 1)
end

local function wantinteger(v, at, what, level)
  if mathtype(v) == "integer" then return v end
  local n = tonumber(v)
  if type(v) ~= "number" and (type(v) ~= "string" or n == nil) then
    bad(at, what, "number expected, got " .. type(v), level + 1)
  end
  return tointeger(n) or bad(at, what, "number has no integer representation", level + 1)
end

local function wantfile(f, what, none)
  local s = states[f]
  if s == nil then bad(1, what, "FILE* expected, got " .. typeof(f, none), 3) end
  if s.closed then error("attempt to use a closed file", 3) end
  return s
end

-- what the system refuses is a result, everything else goes on as an error
local function failed(e)
  local facts = type(e) == "table" and e.facts
  if facts and facts.errno then return nil, e.message, facts.errno end
  error(e, 0)
end

local function result(ok, ...)
  if ok then return ... end
  return failed((...))
end
`;
