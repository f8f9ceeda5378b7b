-- Merges what the auditors found, ranks it, and writes report.md and report.json, if it is allowed to.
-- A turn's content is the list of the auditors' answers; where to write stands in the member's context: {folder}. The model of its
-- profile writes a summary. The answer is {line, written, paths, …}; what was not approved is not written: {written = false, why, draft}.
local edit = require("edit")
local model_of = require("model")
local report = require("report")

bus.on("turn", function(event)
  local context = _CONTEXT and std.json.decode(_CONTEXT) or {}
  local folder = context.folder or "atoll-audit"
  local made = edit.made(event.meta.turn_id, event.payload, model_of())
  std.fs.mkdir(folder)
  local line = report.line(std.json.decode(made.json))
  local paths = {}
  for _, file in ipairs({ { "report.md", made.markdown }, { "report.json", made.json } }) do
    local path = std.path.join(folder, file[1])
    local written, why = edit.write(path, file[2])
    if not written then return { line = line, written = false, why = why, draft = made.markdown } end
    paths[#paths + 1] = path
  end
  return { line = line, written = true, paths = paths, summary_problem = made.problem, opinion_problem = made.opinion_problem }
end)

bus.serve()
