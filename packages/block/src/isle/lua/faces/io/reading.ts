/** Lua source of `io`, second part: reading ahead, and formats. */
export const READING = String.raw`
-- ---- reading

local function flushed(s)
  if s.dirty then
    s.dirty = false
    drain(s.id)
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
  local _, to, whole = find(s.buf, "^%s*([-+]?%d+)[%s,;]", s.pos)
  if to and #whole <= NUMBER_MAX then
    s.pos = to
    return tonumber(whole)
  end
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
`;
