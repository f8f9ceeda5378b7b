-- The files that a loop may touch: by the paths that were given, and no others.
local model = require("compile_loop.model")

local M = {
  DIGEST_FROM = 10000, DIGEST_LINES = 200, DIGEST_CHUNK_CHARS = 400, DIGEST_CHARS = 4000,
  RANGE_LINES = 500, CACHE_SECONDS = 10,
}
-- a chunk of very long lines is cut before a model reads it
local CHUNK_BYTES = 40000

local Files = {}
Files.__index = Files

-- without `.`, `..` and doubled slashes, as far as the text goes
local function absolute(path)
  if not std.path.is_absolute(path) then path = std.env.project_root() .. "/" .. path end
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then parts[#parts] = nil elseif part ~= "." then parts[#parts + 1] = part end
  end
  return "/" .. table.concat(parts, "/")
end

--- `paths`: as they were given; `settings`: of the model that digests.
function M.open(paths, settings)
  local files, seen = {}, {}
  for _, given in ipairs(paths) do
    local path = absolute(given)
    if not seen[path] then
      seen[path] = true
      files[#files + 1] = {given = given, path = path, modified = false}
    end
  end
  return setmetatable({list = files, settings = settings, digests = {}}, Files)
end

--- The file of a path that a model gave, or nil and what to tell it.
function Files:find(path)
  if type(path) == "string" then
    local wanted = absolute(path)
    for _, file in ipairs(self.list) do if file.path == wanted then return file end end
  end
  return nil, "path '" .. tostring(path) .. "' not in target_files allowlist"
end

--- The content; nil when there is no such file yet; nil and an error when it cannot be read.
function Files:read(file)
  local ok, text = pcall(std.fs.read, file.path)
  if ok then return text end
  if type(text) == "table" and text.code == "fs.not_found" then return nil end
  if type(text) == "table" and text.code == "task.cancelled" then error(text, 0) end
  return nil, tostring(text)
end

-- a folder is made only where there is none: the grant may be for the file alone
local function put(path, text)
  local ok, problem = pcall(std.fs.write, path, text)
  if ok or type(problem) ~= "table" or problem.code ~= "fs.not_found" then return ok, problem end
  ok, problem = pcall(std.fs.mkdir, std.path.parent(path))
  if not ok then return ok, problem end
  return pcall(std.fs.write, path, text)
end

--- Writes all of `{{file, old?, new}}` or none: after an error those before it are put back.
function Files:write(changes)
  for i, change in ipairs(changes) do
    local ok, problem = put(change.file.path, change.new)
    if not ok then
      for back = i - 1, 1, -1 do
        local done = changes[back]
        if done.old then put(done.file.path, done.old) else pcall(std.fs.remove, done.file.path) end
      end
      return nil, tostring(problem)
    end
  end
  for _, change in ipairs(changes) do change.file.modified = true end
  return true
end

--- Paths of the files that were written, as they were given.
function Files:modified()
  local out = {}
  for _, file in ipairs(self.list) do if file.modified then out[#out + 1] = file.given end end
  return std.json.array(out)
end

function Files:given()
  local out = {}
  for i, file in ipairs(self.list) do out[i] = file.given end
  return out
end

-- ---- large files

local function length(text) return utf8.len(text) or #text end

--- At most `count` characters, never half of one.
local function cut(text, count)
  local at = utf8.len(text) and utf8.offset(text, count + 1)
  if at then return text:sub(1, at - 1) end
  return utf8.len(text) and text or text:sub(1, count)
end

function M.is_large(text) return length(text) >= M.DIGEST_FROM end

local function lines_of(text)
  local lines = {}
  for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  return lines
end

local function chunk_prompt(path, lines, from, to)
  return table.concat({
    "You are summarizing a chunk of a source code file for an engineer who will edit it without seeing the rest.",
    "Name what it defines (functions, types, constants) and what matters to callers, in at most "
      .. M.DIGEST_CHUNK_CHARS .. " characters of plain text, nothing else.", "",
    "File: " .. path, "Lines " .. from .. "-" .. to .. " of " .. #lines .. ":", "",
    table.concat(lines, "\n", from, to):sub(1, CHUNK_BYTES),
  }, "\n")
end

-- chunks until the digest is as long as it may be
local function digest(settings, path, text)
  local lines, out, left, from = lines_of(text), {}, M.DIGEST_CHARS, 1
  while from <= #lines do
    local to = math.min(from + M.DIGEST_LINES - 1, #lines)
    if left <= 0 then
      out[#out + 1] = "lines " .. from .. "-" .. #lines .. ": not summarized"
      break
    end
    local prompt = chunk_prompt(path, lines, from, to)
    local reply, _, problem = model.call(settings, {messages = {{role = "user", content = prompt}}})
    if not reply then return nil, "digest failed: " .. problem end
    local line = "lines " .. from .. "-" .. to .. ": " .. cut(std.string.trim(reply.content), M.DIGEST_CHUNK_CHARS)
    out[#out + 1] = cut(line, left)
    left = left - length(line)
    from = to + 1
  end
  return #lines .. " lines, a digest; read_file_range gives the text itself\n" .. table.concat(out, "\n")
end

--- A digest of this content; the same content of a file is not digested twice within ten seconds.
function Files:digest(file, text)
  local known, now = self.digests[file.path], std.time.now()
  if known and known.of == text and now - known.at < M.CACHE_SECONDS then return known.digest end
  local made, problem = digest(self.settings, file.path, text)
  if made then self.digests[file.path] = {of = text, at = std.time.now(), digest = made} end
  return made, problem
end

-- ---- what the model may ask for

local PATH = {type = "string", description = "Absolute path from the list of files."}
local LINE = {type = "integer", minimum = 1}

M.TOOLS = {
  {name = "read_file", description = "Read a file. Of a large file you get a digest by line ranges.",
    input_schema = {type = "object", properties = {path = PATH}, required = {"path"}}},
  {name = "read_file_range", description = "Read lines of a file, at most " .. M.RANGE_LINES .. ".",
    input_schema = {type = "object", properties = {path = PATH, line_start = LINE, line_end = LINE},
      required = {"path", "line_start", "line_end"}}},
}

local tools = {}

function tools.read_file(files, input, file, text)
  if not M.is_large(text) then return text end
  return files:digest(file, text)
end

function tools.read_file_range(_, input, _, text)
  local from, to = math.tointeger(tonumber(input.line_start)), math.tointeger(tonumber(input.line_end))
  if not from or not to or from < 1 or to < from then
    return nil, "line_start and line_end must be integers with 1 <= line_start <= line_end"
  end
  local lines = lines_of(text)
  if from > #lines then return nil, "line_start " .. from .. " is after the end (" .. #lines .. " lines)" end
  local last = math.min(to, #lines, from + M.RANGE_LINES - 1)
  local cut_off = last < math.min(to, #lines) and ", cut to " .. M.RANGE_LINES .. " lines" or ""
  return "lines " .. from .. "-" .. last .. " of " .. #lines .. cut_off .. ":\n" .. table.concat(lines, "\n", from, last)
end

--- Text of a tool's result; or nil and the error.
function Files:run_tool(name, input)
  local tool = tools[name]
  if not tool then return nil, "tool not found: " .. tostring(name) end
  if type(input) ~= "table" then return nil, "input must be an object" end
  local file, problem = self:find(input.path)
  if not file then return nil, problem end
  local text
  text, problem = self:read(file)
  if not text then return nil, problem or "the file does not exist yet" end
  return tool(self, input, file, text)
end

return M
