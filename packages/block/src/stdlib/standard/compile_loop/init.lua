-- Lets a model write code until a check passes: the tool, its settings, and what a run begins with.
local files = require("compile_loop.files")
local loop = require("compile_loop.loop")
local model = require("compile_loop.model")
local prompts = require("compile_loop.prompts")

local M = {}
local MAX_ITERS = 5

-- the paths that were asked for, and whether they are many
local function targets(input)
  local function given(name) return input[name] ~= nil and input[name] ~= std.sql.null end
  if given("target_file") and given("target_files") then
    error("target_file and target_files are mutually exclusive", 0)
  end
  local one, list = input.target_file, input.target_files
  if type(one) == "string" and one ~= "" then return {one}, false end
  local fine = type(list) == "table" and #list > 0
  for i = 1, fine and #list or 0 do fine = fine and type(list[i]) == "string" and list[i] ~= "" end
  if not fine then error("target_file (string) or target_files (array) is required", 0) end
  return list, true
end

local function need(ok, problem) if not ok then error("compile_loop: " .. problem, 0) end end

-- diff needs something to edit
local function view_one(job)
  local file = job.files.list[1]
  local text, unreadable = job.files:read(file)
  if unreadable then return nil, "open_target_file", unreadable end
  if job.diff and text == nil then
    log.warn(job.name .. ": " .. file.given .. " does not exist yet; edit_mode falls back to full")
    job.diff = false
  end
  if not job.diff or not files.is_large(text) then return {text = text} end
  local digest, problem = job.files:digest(file, text)
  if not digest then return nil, "llm_call", problem end
  job.tools = files.TOOLS
  return {digest = digest}
end

local function missing(job)
  local out = {}
  for _, file in ipairs(job.files.list) do
    local text, unreadable = job.files:read(file)
    if unreadable then return nil, "open_target_file", unreadable end
    if text == nil then out[#out + 1] = file.path end
  end
  return out
end

-- the first message; or nil, the reason to give up, and the error
local function first(job)
  if not job.many then
    local view, reason, problem = view_one(job)
    return view and prompts.first_for_one(job, job.files.list[1], view), reason, problem
  end
  job.tools = files.TOOLS
  local absent, reason, problem = missing(job)
  return absent and prompts.first_for_many(job, job.files.list, absent), reason, problem
end

local function run(conf, input)
  need(type(input) == "table", "input must be a table")
  local paths, many = targets(input)
  local diff = conf.edit_mode == "diff"
  if many and not diff then error("multi-file mode requires edit_mode=diff", 0) end
  need(type(input.spec) == "string" and input.spec ~= "", "spec (string) is required")
  local settings, dumps = model.settings(conf.llm or {})
  local job = {
    name = conf.name, runner = conf.runner, on_iter = conf.on_iter, max_iters = conf.max_iters, dumps = dumps,
    lang = type(input.lang) == "string" and input.lang or conf.lang, spec = input.spec, many = many, diff = diff,
    settings = settings, files = files.open(paths, settings), messages = {}, tools = {},
  }
  local text, reason, problem = first(job)
  if not text then return loop.result(job, 0, reason, problem) end
  job.system = conf.system
  job.system = prompts.system(job)
  loop.say(job, text)
  return loop.run(job)
end

-- ---- the tool

local function optional(conf, name, wanted)
  local v = conf[name]
  need(v == nil or type(v) == wanted, name .. " must be a " .. wanted .. ", got " .. type(v))
end

local function checked(conf)
  need(type(conf) == "table", "conf must be a table, got " .. type(conf))
  need(type(conf.runner) == "function", "runner (function) is required")
  for _, name in ipairs({"name", "lang", "system", "edit_mode"}) do optional(conf, name, "string") end
  optional(conf, "llm", "table")
  optional(conf, "on_iter", "function")
  local out = {}
  for key, value in pairs(conf) do out[key] = value end
  out.name, out.lang = conf.name or "compile_loop", conf.lang or "lua"
  out.edit_mode = conf.edit_mode or "full"
  need(out.edit_mode == "full" or out.edit_mode == "diff", "edit_mode must be 'full' or 'diff', got '" .. out.edit_mode .. "'")
  out.max_iters = conf.max_iters == nil and MAX_ITERS or math.tointeger(tonumber(conf.max_iters))
  need(out.max_iters and out.max_iters >= 1, "max_iters must be an integer >= 1")
  return out
end

local function schema(conf)
  local text = {type = "string"}
  return {
    description = "Write " .. conf.lang .. " code to a file until its check passes; gives a JSON summary.",
    input_schema = {
      type = "object", required = {"spec"},
      properties = {
        spec = {type = "string", description = "What the code must do."},
        lang = {type = "string", description = "Language, default " .. conf.lang .. "."},
        target_file = {type = "string", description = "Path of the file to write."},
        target_files = {type = "array", items = text, description = "Paths of several files to edit, instead of target_file."},
      },
    },
  }
end

-- without putting it into the registry
function M._build(conf)
  local own = checked(conf)
  return {name = own.name, schema = schema(own), handler = function(input) return run(own, input) end}
end

--- A tool `{name, schema, handler}`, registered under its name. The handler gives JSON text.
function M.make(conf)
  local made = M._build(conf)
  tool.register(made.name, made.schema, made.handler)
  return made
end

return M
