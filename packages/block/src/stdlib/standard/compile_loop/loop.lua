-- The loop itself, on a job that is set up: ask, write, check, tell what went wrong, again.
local edits = require("compile_loop.edits")
local files = require("compile_loop.files")
local model = require("compile_loop.model")
local prompts = require("compile_loop.prompts")

local M = {STAGNATION = 3, TOOL_CALLS_PER_ITER = 8}

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

--- The JSON text of an end; `reason` is nil when the check passed.
function M.result(job, iter, reason, last_error)
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

function M.say(job, text) job.messages[#job.messages + 1] = {role = "user", content = text} end

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

--- Until the check passes or the loop gives up; the result as JSON text.
function M.run(job)
  local before, times, last_error, applied = nil, 0, nil, false
  for iter = 1, job.max_iters do
    note(job, "iter_start", {iter = iter, max_iters = job.max_iters})
    local reply, reason, problem = answer(job, iter)
    if not reply then return M.result(job, iter, reason, problem) end
    applied, problem, reason = change(job, reply)
    if reason then return M.result(job, iter, reason, problem) end
    if applied then
      local run = check(job, iter)
      if run.ok then return M.result(job, iter) end
      last_error = last_words(run)
      times = same(before, run) and times + 1 or 1
      before = run
      if times >= M.STAGNATION then return M.result(job, iter, "stagnation", last_error) end
      M.say(job, prompts.after_check(run))
    else
      last_error = problem
      M.say(job, prompts.after_no_edits(problem, current(job)))
    end
  end
  return M.result(job, job.max_iters, applied and "max_iters" or "no_edits_applied", last_error)
end

return M
