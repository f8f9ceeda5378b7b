/** The Lua half of `io`: file objects with read-ahead, formats, and the shapes and texts of Lua 5.4. See io.ts. */
export const IO_SOURCE = String.raw`
local ask, put, drain, drop, userdata, print, flushprint = ...
local CHUNK, WHOLE = 65536, 1048576
local type, error, pcall, select, tostring, tonumber, setmetatable = type, error, pcall, select, tostring, tonumber, setmetatable
local find, sub, byte, format, gsub, match = string.find, string.sub, string.byte, string.format, string.gsub, string.match
local pack, unpack, concat, tointeger, mathtype = table.pack, table.unpack, table.concat, math.tointeger, math.type
local collectgarbage = collectgarbage

-- what is known of a file: id, op (front of its host ops), r, w (may be read, written), buf and pos (read ahead), dirty, std
local states = setmetatable({}, {__mode = "k"})
local meta = {__name = "FILE*"}
local methods = {}
meta.__index = methods

local function newfile(state)
  state.buf, state.pos = "", 1
  local f = userdata(meta)
  states[f] = state
  return f
end

-- ---- errors

local function bad(at, what, problem, level) error("bad argument #" .. at .. " to '" .. what .. "' (" .. problem .. ")", level + 1) end

local function typeof(v, none) return none and "no value" or type(v) end

local function wanttext(v, at, what, level, none)
  if type(v) == "string" then return v end
  if type(v) == "number" then return tostring(v) end
  bad(at, what, "string expected, got " .. typeof(v, none), level + 1)
end

local function wantinteger(v, at, what, level)
  if mathtype(v) == "integer" then return v end
  local n = tonumber(v)
  if type(v) ~= "number" and (type(v) ~= "string" or n == nil) then bad(at, what, "number expected, got " .. type(v), level + 1) end
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

-- ---- reading

local function flushed(s)
  if s.dirty then
    s.dirty = false
    drain(s.id, s.op .. "write")
  end
end

local function fetch(s, want)
  if not s.r then error({message = "Bad file descriptor", facts = {errno = 9}}, 0) end
  flushed(s)
  if s.std then return ask("io.stdin", want) end
  return ask(s.op .. "read", s.id, want)
end

-- more bytes after those that are there; false at the end
local function fill(s)
  local data = fetch(s, CHUNK)
  if data == nil then return false end
  s.buf = s.pos > #s.buf and data or sub(s.buf, s.pos) .. data
  s.pos = 1
  return true
end

local function rest(s)
  local all = s.pos == 1 and s.buf or sub(s.buf, s.pos)
  s.buf, s.pos = "", 1
  return all
end

local function readline(s, keep)
  local parts
  while true do
    local at = find(s.buf, "\n", s.pos, true)
    if at then
      local line = sub(s.buf, s.pos, keep and at or at - 1)
      s.pos = at + 1
      if not parts then return line end
      parts[#parts + 1] = line
      return concat(parts)
    end
    if s.pos <= #s.buf then
      parts = parts or {}
      parts[#parts + 1] = rest(s)
    end
    if not fill(s) then return parts and concat(parts) end
  end
end

local function readall(s)
  local parts = {rest(s)}
  while true do
    local data = fetch(s, WHOLE)
    if data == nil then return concat(parts) end
    parts[#parts + 1] = data
  end
end

local function readbytes(s, count)
  if count == 0 then return (s.pos <= #s.buf or fill(s)) and "" or nil end
  if count < 0 then error("not enough memory", 0) end
  local parts, have = {}, 0
  while have < count do
    if s.pos <= #s.buf or fill(s) then
      local part = sub(s.buf, s.pos, s.pos + count - have - 1)
      s.pos = s.pos + #part
      have = have + #part
      parts[#parts + 1] = part
    else break end
  end
  if have > 0 then return concat(parts) end
end

local NUMBER_MAX = 200

-- a numeral is taken as far as it can be one; what does not fit stays in the file
local function readnumber(s)
  local taken, count = {}, 0
  local function peek() return (s.pos <= #s.buf or fill(s)) and sub(s.buf, s.pos, s.pos) or "" end
  local full = false
  local function take(set)
    local c = peek()
    if full or c == "" or not find(c, set) then return false end
    if #taken == NUMBER_MAX then full = true return false end
    taken[#taken + 1] = c
    s.pos = s.pos + 1
    return true
  end
  local function digits(set)
    local n = 0
    while take(set) do n = n + 1 end
    return n
  end
  while find(peek(), "^%s") do s.pos = s.pos + 1 end
  take("[-+]")
  local digit, mark = "%d", "[eE]"
  if take("0") then
    if take("[xX]") then digit, mark = "%x", "[pP]" else count = 1 end
  end
  count = count + digits(digit)
  if take("%.") then count = count + digits(digit) end
  if count > 0 and take(mark) then
    take("[-+]")
    digits("%d")
  end
  return not full and tonumber(concat(taken)) or nil
end

local READERS = {
  n = readnumber, l = readline, a = readall,
  L = function(s) return readline(s, true) end,
}

-- formats as functions; their mistakes are told before anything is read
local function readers(what, first, level, ...)
  local list = pack(...)
  for i = 1, list.n do
    local wanted = list[i]
    if type(wanted) == "number" then list[i] = wantinteger(wanted, first + i - 1, what, level + 1)
    else
      local letter = match(wanttext(wanted, first + i - 1, what, level + 1), "^%*?(.)")
      list[i] = READERS[letter] or bad(first + i - 1, what, "invalid format", level + 1)
    end
  end
  return list
end

local function readeach(s, list)
  local out = {}
  for i = 1, list.n do
    local reader = list[i]
    local value
    if type(reader) == "number" then value = readbytes(s, reader) else value = reader(s) end
    out[i] = value
    if value == nil then return unpack(out, 1, i) end
  end
  return unpack(out, 1, list.n)
end

local function bufferedline(s)
  local at = find(s.buf, "\n", s.pos, true)
  if not at then return nil end
  local line = sub(s.buf, s.pos, at - 1)
  s.pos = at + 1
  return line
end

local function read(s, level, ...)
  if select("#", ...) == 0 then
    local line = bufferedline(s)
    if line then return line end
    return result(pcall(readline, s))
  end
  return result(pcall(readeach, s, readers("read", 1, level, ...)))
end

function methods.read(...)
  local s = wantfile((...), "read", select("#", ...) == 0)
  return read(s, 2, select(2, ...))
end

-- ---- writing

local function piece(v, at, level)
  if type(v) == "string" then return v end
  if mathtype(v) == "integer" then return tostring(v) end
  if mathtype(v) == "float" then return format("%.14g", v) end
  return nil
end

-- after reading ahead the host stands further on than the script
local function unread(s)
  local ok, e = pcall(ask, "io.seek", s.id, "cur", s.pos - #s.buf - 1)
  if ok then s.buf, s.pos = "", 1
  elseif type(e) ~= "table" or not e.facts or e.facts.errno ~= 29 then error(e, 0) end
end

local function send(s, data)
  if s.std == "out" then print(data)
  elseif s.std then ask("io.stderr", data)
  else
    if s.pos <= #s.buf then unread(s) end
    s.dirty = true
    if put(s.id, s.op .. "write", data) or s.mode == "no" or (s.mode == "line" and find(data, "\n", 1, true)) then flushed(s) end
  end
end

local function write(f, s, level, ...)
  local n, data, wrong = select("#", ...), "", nil
  if n == 1 then
    data = piece((...))
    if data == nil then wrong, data = 1, "" end
  else
    local parts = {...}
    for i = 1, n do
      local text = piece(parts[i])
      if text == nil then wrong = i break end
      parts[i] = text
    end
    data = concat(parts, "", 1, (wrong or n + 1) - 1)
  end
  local ok, e = true, nil
  if not s.w then ok, e = false, {message = "Bad file descriptor", facts = {errno = 9}}
  elseif data ~= "" then ok, e = pcall(send, s, data) end
  if wrong then bad(wrong, "write", "string expected, got " .. type((select(wrong, ...))), level) end
  if ok then return f end
  return failed(e)
end

function methods.write(...)
  local f = ...
  local s = wantfile(f, "write", select("#", ...) == 0)
  return write(f, s, 2, select(2, ...))
end

local function flush(s)
  if s.std then
    if s.std == "out" then flushprint() end
    return true
  end
  local ok, e = pcall(flushed, s)
  if ok then return true end
  return failed(e)
end

function methods.flush(...)
  return flush(wantfile((...), "flush", select("#", ...) == 0))
end

function methods.setvbuf(...)
  local f, mode = ...
  local s = wantfile(f, "setvbuf", select("#", ...) == 0)
  mode = wanttext(mode, 1, "setvbuf", 2, select("#", ...) < 2)
  if mode ~= "no" and mode ~= "full" and mode ~= "line" then bad(1, "setvbuf", "invalid option '" .. mode .. "'", 2) end
  s.mode = mode
  return true
end

local function seek(s, whence, offset)
  if not s.seeks then error({message = "Illegal seek", facts = {errno = 29}}, 0) end
  flushed(s)
  if whence == "cur" then offset = offset - (#s.buf - s.pos + 1) end
  local at = ask("io.seek", s.id, whence, offset)
  s.buf, s.pos = "", 1
  return at
end

function methods.seek(...)
  local f, whence, offset = ...
  local s = wantfile(f, "seek", select("#", ...) == 0)
  whence = whence == nil and "cur" or wanttext(whence, 1, "seek", 2)
  if whence ~= "set" and whence ~= "cur" and whence ~= "end" then bad(1, "seek", "invalid option '" .. whence .. "'", 2) end
  offset = offset == nil and 0 or wantinteger(offset, 2, "seek", 2)
  return result(pcall(seek, s, whence, offset))
end

-- ---- closing

local function close(s)
  if s.std then return nil, "cannot close standard file" end
  s.closed = true
  local fine, problem = pcall(flushed, s)
  local ok, ended = pcall(ask, s.op .. "close", s.id)
  drop(s.id, ok and "" or s.op .. "close")
  if not fine then return failed(problem) end
  if not ok then return failed(ended) end
  if s.op == "io." then return true end
  return ended.ok or nil, ended.kind, ended.code
end

function methods.close(...)
  return close(wantfile((...), "close", select("#", ...) == 0))
end

-- a file that is forgotten: the host writes and closes, nobody waits
function meta.__gc(f)
  local s = states[f]
  if s and not s.closed and not s.std then
    s.closed = true
    drop(s.id, s.op .. "close")
  end
end

function meta.__close(f)
  local s = states[f]
  if s and not s.closed and not s.std then pcall(close, s) end
end

function meta.__tostring(f)
  local s = states[f]
  if s == nil then bad(1, "tostring", "FILE* expected, got " .. type(f), 2) end
  return s.closed and "file (closed)" or format("file (%p)", f)
end

-- ---- lines

local LINES_MAX = 250

local function lines(f, s, closing, ...)
  local count = select("#", ...)
  if count > LINES_MAX then bad(LINES_MAX + 2, "lines", "too many arguments", 3) end
  local formats = pack(...)
  return function()
    if s.closed then error("file is already closed", 2) end
    if count == 0 then
      local line = bufferedline(s)
      if line then return line end
    end
    local list = count == 0 and {readline, n = 1} or readers("for iterator", 2, 2, unpack(formats, 1, count))
    local out = pack(result(pcall(readeach, s, list)))
    if out[1] then return unpack(out, 1, out.n) end
    if out.n > 1 and out[2] then error(out[2], 2) end
    if closing then close(s) end
    return nil
  end, f
end

function methods.lines(...)
  local f = ...
  local s = wantfile(f, "lines", select("#", ...) == 0)
  return (lines(f, s, false, select(2, ...)))
end

-- ---- the library

local stdin = newfile{std = "in", r = true}
local stdout = newfile{std = "out", w = true}
local stderr = newfile{std = "err", w = true}
local input, output = stdin, stdout

io = {stdin = stdin, stdout = stdout, stderr = stderr}
package.loaded.io = io

local function state(id, op, mode)
  local both = find(mode, "+", 1, true) ~= nil
  local reads = byte(mode) == 114
  return {id = id, op = op, r = reads or both, w = not reads or both, seeks = op == "io."}
end

-- forgotten files are let go of when no more can be opened
local function opened(op, name, mode)
  local ok, id = pcall(ask, op, name, mode)
  if not ok and type(id) == "table" and id.code == "fs.limit" then
    collectgarbage()
    collectgarbage()
    ok, id = pcall(ask, op, name, mode)
  end
  return ok, id
end

function io.open(...)
  local name, mode = ...
  local n = select("#", ...)
  name = wanttext(name, 1, "open", 2, n < 1)
  mode = mode == nil and "r" or wanttext(mode, 2, "open", 2)
  if not find(mode, "^[rwa]%+?b*$") then bad(2, "open", "invalid mode", 2) end
  local ok, id = opened("io.open", name, (gsub(mode, "b", "")))
  if ok then return newfile(state(id, "io.", mode)) end
  return failed(id)
end

function io.popen(...)
  local command, mode = ...
  command = wanttext(command, 1, "popen", 2, select("#", ...) < 1)
  mode = mode == nil and "r" or wanttext(mode, 2, "popen", 2)
  if mode ~= "r" and mode ~= "w" then bad(2, "popen", "invalid mode", 2) end
  local ok, id = opened("io.popen.open", command, mode)
  if ok then return newfile(state(id, "io.popen.", mode)) end
  return failed(id)
end

function io.tmpfile()
  local ok, id = opened("io.tmpfile")
  if ok then return newfile(state(id, "io.", "w+")) end
  return failed(id)
end

local function openorraise(name, mode)
  local ok, id = opened("io.open", name, mode)
  if ok then return newfile(state(id, "io.", mode)) end
  local _, _, errno = failed(id)
  error("cannot open file '" .. name .. "' (" .. id.facts.strerror .. ")", 3)
end

function io.lines(...)
  local name = ...
  if name == nil then
    local s = states[input]
    if s.closed then error("attempt to use a closed file", 2) end
    return (lines(input, s, false, select(2, ...)))
  end
  local f = openorraise(wanttext(name, 1, "lines", 2), "r")
  local iterator = lines(f, states[f], true, select(2, ...))
  return iterator, nil, nil, f
end

function io.input(f)
  if f ~= nil then
    if type(f) == "string" or type(f) == "number" then input = openorraise(tostring(f), "r")
    else
      wantfile(f, "input")
      input = f
    end
  end
  return input
end

function io.output(f)
  if f ~= nil then
    if type(f) == "string" or type(f) == "number" then output = openorraise(tostring(f), "w")
    else
      wantfile(f, "output")
      output = f
    end
  end
  return output
end

function io.read(...)
  local s = states[input]
  if s.closed then error("default input file is closed", 2) end
  return read(s, 2, ...)
end

function io.write(...)
  local s = states[output]
  if s.closed then error("default output file is closed", 2) end
  return write(output, s, 2, ...)
end

function io.flush()
  local s = states[output]
  if s.closed then error("default output file is closed", 2) end
  return flush(s)
end

function io.close(...)
  local f = output
  if select("#", ...) > 0 then f = ... end
  return close(wantfile(f, "close"))
end

function io.type(...)
  if select("#", ...) == 0 then bad(1, "type", "value expected", 2) end
  local f = ...
  local s = f ~= nil and states[f]
  if not s then return nil end
  return s.closed and "closed file" or "file"
end
`;
