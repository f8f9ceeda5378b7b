/** Lua source of `io`, last part: lines, and the functions of the library. */
export const LIBRARY = String.raw`
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

local input = newfile({std = "in", r = true}, shared.stdin)
local output = newfile({std = "out", w = true}, shared.stdout)
newfile({std = "err", w = true}, shared.stderr)
local io = {}

local function state(id, op, mode)
  local both = find(mode, "+", 1, true) ~= nil
  local reads = byte(mode) == 114
  return {id = id, op = op, r = reads or both, w = not reads or both, seeks = op == "io."}
end

-- forgotten files are let go of when no more can be opened
local function openhost(op, name, mode)
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
  local ok, id = openhost("io.open", name, (gsub(mode, "b", "")))
  if ok then return newfile(state(id, "io.", mode)) end
  return failed(id)
end

function io.popen(...)
  local command, mode = ...
  command = wanttext(command, 1, "popen", 2, select("#", ...) < 1)
  mode = mode == nil and "r" or wanttext(mode, 2, "popen", 2)
  if mode ~= "r" and mode ~= "w" then bad(2, "popen", "invalid mode", 2) end
  local ok, id = openhost("io.popen.open", command, mode)
  if ok then return newfile(state(id, "io.popen.", mode)) end
  return failed(id)
end

function io.tmpfile()
  local ok, id = openhost("io.tmpfile")
  if ok then return newfile(state(id, "io.", "w+")) end
  return failed(id)
end

local function openorraise(name, mode)
  local ok, id = openhost("io.open", name, mode)
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

for name, method in next, methods do io["file:" .. name] = method end
return io
`;
