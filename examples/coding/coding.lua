-- A small coding agent: it looks at a project, changes its files, and is done when the project's check passes.
-- usage: atoll run -p PROJECT -s examples/coding/coding.lua --prompt "What to do" [-- CHECK]
-- CHECK is a file that `node` runs, default check.mjs. The conversation is kept: a next prompt goes on from it.
local agent = require("agent")
local compile_loop = require("compile_loop")
local session = require("session")

local FILES_MAX = 200

local check = arg[1] or "check.mjs"
local root = std.env.project_root()

local function fail(text)
  io.stderr:write("coding: " .. text .. "\n")
  os.exit(2)
end

if _PROMPT == nil then fail("say what to do: --prompt \"…\"") end
if not std.fs.is_file(check) then fail("there is no " .. check .. " in " .. root .. "; name the check: -- FILE") end

local function is_own(path)
  return not path:find("/node_modules/", 1, true) and not path:find("/.", 1, true)
end

tool.register("list_files", {
  description = "Paths of the project's files.", input_schema = {type = "object", properties = {}},
}, function()
  local paths = {}
  for _, path in ipairs(std.fs.walk(root)) do
    if is_own(path:sub(#root + 1)) and #paths < FILES_MAX then paths[#paths + 1] = path:sub(#root + 2) end
  end
  table.sort(paths)
  return table.concat(paths, "\n")
end)

compile_loop.make{
  name = "change_code", lang = "javascript", edit_mode = "diff",
  runner = function()
    local r = sh.exec("node", {args = {check}, timeout = 60})
    return {ok = r.ok and r.code == 0, stdout = r.stdout, stderr = r.stderr or r.error, exit_code = r.code or -1}
  end,
  on_iter = function(info)
    print(("check %d of %d %s"):format(info.iter, info.max_iters, info.ok and "passes" or "fails"))
  end,
}

local id = "coding:" .. root
local answer = agent.run{
  prompt = _PROMPT,
  system = "You change the code of a project. Look at its files first, then use change_code with target_files, and say in "
    .. "one sentence what you did. Never say that a check passed unless change_code said so.",
  history = session.load(id),
  max_iterations = 10,
}
session.save(id, answer.messages)
if not answer.ok then
  local said = answer.error_detail and answer.error_detail.message
  error("coding: " .. answer.error .. (said and ": " .. said or ""), 0)
end
print(answer.content)
return {turns = answer.num_turns, tokens = answer.usage.total_tokens}
