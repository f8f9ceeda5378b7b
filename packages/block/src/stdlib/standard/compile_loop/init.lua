-- Lets a model write code until a check passes: ask, write, check, tell what went wrong, again.
local edits = require("compile_loop.edits")
local files = require("compile_loop.files")
local model = require("compile_loop.model")
local prompts = require("compile_loop.prompts")

local M = {MAX_ITERS = 5, STAGNATION = 3, TOOL_CALLS_PER_ITER = 8}

-- ---- what is told while it runs

local function note(job, event, fields)
  if not job.dumps then return end
  local line = {prefix = "ab.obs", event = event, component = "compile_loop", tool = job.name}
  for key, value in pairs(fields) do line[key] = value end
  log.info(event, line)
end

-- text that any JSON can hold
local function clean(text)
  if utf8.len(text) then return text end
  local out, at = {}, 1
  while at <= #text do
    local whole, bad = utf8.len(text, at)
    out[#out + 1] = text:sub(at, whole and -1 or bad - 1)
    if whole then break end
    out[#out + 1] = "\u{FFFD}"
    at = bad + 1
  end
  return table.concat(out)
end

-- ---- the check

local function text_of(v) return v == nil and "" or clean(tostring(v)) end

-- what a runner gave, as {ok, stdout, stderr, exit_code}; one that raises has failed
local function outcome(ran, given)
  if not ran then
    if type(given) == "table" and given.code == "task.cancelled" then error(given, 0) end
    return {ok = false, stdout = "", stderr = text_of(given), exit_code = -1}
  end
  if type(given) ~= "table" then given = {ok = given == true} end
  local code = given.exit_code
  if code == nil then code = given.code end
  local ok = given.ok == true
  -- the bare result of sh.exec is ok when the command ran, whatever came of it
  if ok and given.exit_code == nil and type(code) == "number" then ok = code == 0 end
  if type(code) ~= "number" then code = ok and 0 or 1 end
  local stderr = given.stderr
  if stderr == nil and not ok then stderr = given.error end
  return {ok = ok, stdout = text_of(given.stdout), stderr = text_of(stderr), exit_code = code}
end

local function same(a, b)
  return a ~= nil and a.stdout == b.stdout and a.stderr == b.stderr and a.exit_code == b.exit_code
end

-- ---- how it ends

local function summary(job, iter, reason)
  if reason == nil then return "PASS in " .. iter .. " iters" end
  local place = " at iter " .. iter .. "/" .. job.max_iters
  if reason == "stagnation" then return "give-up: stagnation" .. place .. " (stderr identical 3x)" end
  if reason == "max_iters" then return "give-up: max_iters reached (" .. job.max_iters .. ")" end
  if reason == "llm_call" then return "give-up: llm_call failed" .. place end
  return "give-up: " .. reason
end

local EVENTS = {stagnation = "stagnation", max_iters = "max_iters_reached"}

local function result(job, iter, reason, last_error)
  local told = {iter = iter, max_iters = job.max_iters, reason = reason}
  note(job, reason == nil and "converged" or EVENTS[reason] or "give_up", told)
  local out = {ok = reason == nil, iters = iter, summary = summary(job, iter, reason), failure_reason = reason}
  if last_error then out.last_error = clean(last_error) end
  if job.many then out.modified_files = job.files:modified() else out.artifact_path = job.files.list[1].given end
  return std.json.encode(out)
end

-- ---- one answer of the model

local function tool_results(job, iter, calls)
  local results = {}
  for i, call in ipairs(calls) do
    note(job, "tool_use", {iter = iter, name = call.name})
    local text, problem = job.files:run_tool(call.name, call.input)
    results[i] = {type = "tool_result", tool_use_id = call.id, content = text or "tool error: " .. problem}
    if not text then results[i].is_error = true end
  end
  return results
end

-- the reply that asks for no more tools; or nil, the reason to give up, and the error
local function answer(job, iter)
  local used = 0
  while true do
    local reply, reason, problem = model.call(job.settings, job)
    if not reply then return nil, reason, problem end
    job.messages[#job.messages + 1] = {role = "assistant", content = reply.blocks}
    local calls = {}
    for _, block in ipairs(reply.blocks) do if block.type == "tool_use" then calls[#calls + 1] = block end end
    if #calls == 0 then return reply end
    used = used + #calls
    if used > M.TOOL_CALLS_PER_ITER then
      return nil, "tool_loop", "more than " .. M.TOOL_CALLS_PER_ITER .. " tool calls in iteration " .. iter
    end
    job.messages[#job.messages + 1] = {role = "user", content = tool_results(job, iter, calls)}
  end
end

-- ---- from an answer to changes of files

local function whole_file(job, text)
  local new, problem = edits.whole_file(text, job.lang)
  if not new then return nil, problem end
  local file = job.files.list[1]
  local old, unreadable = job.files:read(file)
  if unreadable then return nil, unreadable, "open_target_file" end
  return {{file = file, old = old, new = edits.like(old or "", new)}}
end

-- the edits of each file, in the order of the files' first edits
local function by_file(job, parsed)
  local groups, of = {}, {}
  for i, edit in ipairs(parsed) do
    local file, problem = job.files.list[1], nil
    if edit.path then file, problem = job.files:find(edit.path) end
    if job.many and not edit.path then file, problem = nil, "edit " .. i .. " has no <<< path=... >>> before it" end
    if not file then return nil, problem end
    edit.number = i
    if not of[file] then
      of[file] = {file = file, edits = {}}
      groups[#groups + 1] = of[file]
    end
    table.insert(of[file].edits, edit)
  end
  return groups
end

local function edited(job, text)
  local parsed, problem = edits.parse(text)
  if not parsed then return nil, problem end
  local groups
  groups, problem = by_file(job, parsed)
  if not groups then return nil, problem end
  local changes = {}
  for i, group in ipairs(groups) do
    local old, unreadable = job.files:read(group.file)
    if unreadable then return nil, unreadable, "open_target_file" end
    local new, why, edit = edits.apply(old or "", group.edits)
    if not new then return nil, "edit " .. edit.number .. " of " .. group.file.path .. ": " .. why end
    changes[i] = {file = group.file, old = old, new = new}
  end
  return changes
end

-- whether files were written; or nil, the problem, and the reason to give up, if it is one
local function change(job, reply)
  local changes, problem, reason = (job.diff and edited or whole_file)(job, reply.content)
  if not changes then
    if reply.stop_reason == "max_tokens" then problem = problem .. " (the answer was cut off at max_tokens)" end
    return nil, problem, reason
  end
  local ok, unwritable = job.files:write(changes)
  if not ok then return nil, unwritable, "open_target_file" end
  return true
end

local function say(job, text) job.messages[#job.messages + 1] = {role = "user", content = text} end

-- the one file as it is, when it is short
local function current(job)
  if job.many or not job.diff then return nil end
  local text = job.files:read(job.files.list[1])
  return text and not files.is_large(text) and text or nil
end

-- ---- the loop

local function check(job, iter)
  local paths = job.files:given()
  local run = outcome(pcall(job.runner, job.many and paths or paths[1]))
  note(job, "iter_result", {iter = iter, ok = run.ok, exit_code = run.exit_code})
  if job.on_iter then
    local info = {iter = iter, max_iters = job.max_iters, ok = run.ok, stdout = run.stdout, stderr = run.stderr,
      exit_code = run.exit_code, modified_files = job.files:modified()}
    local ok, problem = pcall(job.on_iter, info)
    if not ok then log.warn(job.name .. ": on_iter failed: " .. tostring(problem)) end
  end
  return run
end

local function last_words(run) return run.stderr ~= "" and run.stderr or run.stdout end

local function loop(job)
  local before, times, last_error, applied = nil, 0, nil, false
  for iter = 1, job.max_iters do
    note(job, "iter_start", {iter = iter, max_iters = job.max_iters})
    local reply, reason, problem = answer(job, iter)
    if not reply then return result(job, iter, reason, problem) end
    applied, problem, reason = change(job, reply)
    if reason then return result(job, iter, reason, problem) end
    if applied then
      local run = check(job, iter)
      if run.ok then return result(job, iter) end
      last_error = last_words(run)
      times = same(before, run) and times + 1 or 1
      before = run
      if times >= M.STAGNATION then return result(job, iter, "stagnation", last_error) end
      say(job, prompts.after_check(run))
    else
      last_error = problem
      say(job, prompts.after_no_edits(problem, current(job)))
    end
  end
  return result(job, job.max_iters, applied and "max_iters" or "no_edits_applied", last_error)
end

-- ---- what comes before it

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
  if not text then return result(job, 0, reason, problem) end
  job.system = conf.system
  job.system = prompts.system(job)
  say(job, text)
  return loop(job)
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
  out.max_iters = conf.max_iters == nil and M.MAX_ITERS or math.tointeger(tonumber(conf.max_iters))
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
