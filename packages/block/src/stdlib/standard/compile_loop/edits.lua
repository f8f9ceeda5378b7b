-- What a model's answer says about files: a whole file in a fence, or SEARCH/REPLACE edits.
local M = {}

--- Lines without their ends; a carriage return belongs to the end.
local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do lines[#lines + 1] = line end
  return lines
end

local function join(lines, from, to) return table.concat(lines, "\n", from or 1, to or #lines) end

-- ---- whole files

local function fences(text)
  local found, open = {}, nil
  for _, line in ipairs(lines_of(text)) do
    local ticks, info = line:match("^%s*(```+)%s*([^`%s]*)[^`]*$")
    if not open then
      if ticks then open = {ticks = ticks, info = info:lower(), lines = {}} end
    elseif ticks and info == "" and #ticks >= #open.ticks then
      found[#found + 1] = open
      open = nil
    else
      open.lines[#open.lines + 1] = line
    end
  end
  return found, open ~= nil
end

--- The content of the one fenced block; of several, the one that is marked with the language.
function M.whole_file(text, lang)
  local found, unclosed = fences(text)
  if #found == 0 then return nil, unclosed and "the fenced block is not closed" or "there is no fenced block" end
  local pick, marked = found[1], 0
  if #found > 1 then
    for _, fence in ipairs(found) do
      if fence.info == lang:lower() then pick, marked = fence, marked + 1 end
    end
    if marked ~= 1 then return nil, "there are " .. #found .. " fenced blocks, one is expected" end
  end
  return #pick.lines == 0 and "" or join(pick.lines) .. "\n"
end

-- ---- edits

--- The edits in the order of the answer: `{path?, search = lines, replace = lines}`. Other text is ignored.
function M.parse(text)
  local edits, path, edit, part = {}, nil, nil, nil
  for _, line in ipairs(lines_of(text)) do
    if not edit then
      local named = line:match("^%s*<<<%s*path=(.-)%s*>>>%s*$")
      if named then
        path = named:match('^"(.*)"$') or named
      elseif line:find("^<<<<<<<+ SEARCH%s*$") then
        edit = {path = path, search = {}, replace = {}}
        part = edit.search
      end
    elseif part == edit.search and line:find("^=======%s*$") then
      part = edit.replace
    elseif part == edit.replace and line:find("^>>>>>>>+ REPLACE%s*$") then
      edits[#edits + 1] = edit
      edit = nil
    else
      part[#part + 1] = line
    end
  end
  if edit then return nil, "edit " .. #edits + 1 .. " is not closed with >>>>>>> REPLACE" end
  if #edits == 0 then return nil, "there is no SEARCH/REPLACE edit" end
  return edits
end

local function find_lines(lines, wanted, same)
  for at = 1, #lines - #wanted + 1 do
    local n = 0
    while n < #wanted and same(lines[at + n], wanted[n + 1]) do n = n + 1 end
    if n == #wanted then return at end
  end
end

local function equal(a, b) return a == b end
local function normal(line) return (line:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")) end
local function equal_but_space(a, b) return normal(a) == normal(b) end

local function splice(lines, at, count, with)
  local out = table.move(lines, 1, at - 1, 1, {})
  table.move(with, 1, #with, #out + 1, out)
  return table.move(lines, at + count, #lines, #out + 1, out)
end

-- without blank lines at both ends
local function trim(lines)
  local from, to = 1, #lines
  while from <= to and normal(lines[from]) == "" do from = from + 1 end
  while to >= from and normal(lines[to]) == "" do to = to - 1 end
  return table.move(lines, from, to, 1, {})
end

-- the replacement was written for the indentation of the search: it gets that of the file
local function indented(replace, was, is)
  local out = {}
  for i, line in ipairs(replace) do
    local fits = normal(line) ~= "" and line:sub(1, #was) == was
    out[i] = fits and is .. line:sub(#was + 1) or line
  end
  return out
end

local function apply_one(text, edit)
  if #trim(edit.search) == 0 then
    if text ~= "" then return nil, "SEARCH is empty, but the file is not" end
    return #edit.replace == 0 and "" or join(edit.replace) .. "\n"
  end
  local lines = lines_of(text)
  local at = find_lines(lines, edit.search, equal)
  if at then return join(splice(lines, at, #edit.search, edit.replace)) end
  local from, to = text:find(join(edit.search), 1, true)
  if from then return text:sub(1, from - 1) .. join(edit.replace) .. text:sub(to + 1) end
  local search = trim(edit.search)
  at = find_lines(lines, search, equal_but_space)
  if not at then return nil, "SEARCH text not found" end
  local replace = indented(trim(edit.replace), search[1]:match("^%s*"), lines[at]:match("^%s*"))
  return join(splice(lines, at, #search, replace))
end

--- Whether every line of a text ends with CR LF; then the text is edited without and gets them back.
function M.is_crlf(text)
  local _, all = text:gsub("\n", "")
  local _, crlf = text:gsub("\r\n", "")
  return all > 0 and all == crlf
end

--- The text after all edits, or nil and why the first that does not fit does not.
function M.apply(text, edits)
  local crlf = M.is_crlf(text)
  local new, problem = crlf and text:gsub("\r\n", "\n") or text, nil
  for _, edit in ipairs(edits) do
    new, problem = apply_one(new, edit)
    if not new then return nil, problem, edit end
  end
  return crlf and (new:gsub("\n", "\r\n")) or new
end

--- A new text with the line ends of the old one.
function M.like(old, new)
  if not M.is_crlf(old) or M.is_crlf(new) then return new end
  return (new:gsub("\r?\n", "\r\n"))
end

return M
