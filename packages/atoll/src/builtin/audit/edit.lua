-- How the editor makes its report of what the auditors have answered, and writes a file that somebody has to approve.
local report = require("report")
local store = require("store")
local summary = require("summary")
local M = {}

local function compose(answers, model)
  store.open()
  local failed, unopinioned = std.json.array(), nil
  for batch, answer in ipairs(answers) do
    if answer.packages then
      store.add(answer.packages)
      unopinioned = unopinioned or answer.opinion_problem
    else
      failed[#failed + 1] = { batch = batch, reason = answer.error and answer.error.text or "no answer" }
    end
  end
  local facts = store.facts()
  facts.failed = failed
  local text, problem
  if model then text, problem = summary.write(facts, model) end
  return {
    markdown = report.render(facts, text, failed), json = std.json.encode_pretty(facts) .. "\n", problem = problem, opinion_problem = unopinioned,
  }
end

-- One that waits for its decision ends this run of the turn, which runs again after it.
local function waits(problem) return type(problem) == "table" and type(problem.facts) == "table" and problem.facts.park ~= nil end

-- True when it is there; nil and why when nobody wants it.
function M.write(path, text)
  local ok, answer = pcall(std.fs.write, path, text)
  if ok and answer == true then return true end
  if not ok and (waits(answer) or type(answer) ~= "table" or answer.code ~= "grant.denied") then error(answer, 0) end
  return nil, tostring(answer)
end

-- {markdown, json, problem?, opinion_problem?}: made once for a turn, however often it runs.
function M.made(turn, answers, model)
  local kept = store.kept(turn)
  if kept then return kept end
  local ok, composed = pcall(compose, answers, model)
  if ok then return store.keep(turn, composed) end
  store.abandon()
  error(composed, 0)
end

return M
