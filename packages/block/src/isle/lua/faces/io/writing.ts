/** Lua source of `io`, third part: writing, seeking and closing. */
export const WRITING = String.raw`
-- ---- writing

local function piece(v)
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

local LARGE = 16384

-- for what cannot just be put to the rest
local function send(s, data)
  if s.std == "out" then print(data)
  elseif s.std then ask("io.stderr", data)
  else
    if s.pos <= #s.buf then unread(s) end
    if #data >= LARGE then
      flushed(s)
      ask(s.op .. "write", s.id, data)
    else
      s.dirty = true
      put(s.id, data)
      flushed(s)
    end
  end
end

local function keeps(s, data)
  return s.id and #data < LARGE and s.pos > #s.buf and (s.mode == nil or s.mode == "full"
    or (s.mode == "line" and not find(data, "\n", 1, true)))
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
  elseif keeps(s, data) then
    s.dirty = true
    if put(s.id, data) then ok, e = pcall(flushed, s) end
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
  if mode ~= "no" and mode ~= "full" and mode ~= "line" then
    bad(1, "setvbuf", "invalid option '" .. mode .. "'", 2)
  end
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
  if whence ~= "set" and whence ~= "cur" and whence ~= "end" then
    bad(1, "seek", "invalid option '" .. whence .. "'", 2)
  end
  offset = offset == nil and 0 or wantinteger(offset, 2, "seek", 2)
  return result(pcall(seek, s, whence, offset))
end

-- ---- closing

local function close(s)
  if s.std then return nil, "cannot close standard file" end
  s.closed = true
  local fine, problem = pcall(flushed, s)
  local ok, ended = pcall(ask, s.op .. "close", s.id)
  drop(s.id, ok)
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
    drop(s.id, false)
  end
end

function meta.__close(f)
  local s = states[f]
  if s and not s.closed and not s.std then pcall(close, s) end
end

function methods.tostring(f)
  local s = states[f]
  if s == nil then bad(1, "tostring", "FILE* expected, got " .. type(f), 2) end
  return s.closed and "file (closed)" or format("file (%p)", f)
end
`;
