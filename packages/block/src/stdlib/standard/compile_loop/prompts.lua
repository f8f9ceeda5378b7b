-- What the model is told.
local M = {}

local ROLE = "You are a careful programmer. You write %s code that fulfils a specification; a check runs after each "
  .. "of your answers, and its output comes back to you until it passes."

local FULL = "Answer with the complete content of the file in one fenced block (```%s), and no other fenced block."

local DIFF = table.concat({
  "Answer with edits in this form, as many as needed:",
  "<<<<<<< SEARCH",
  "lines as they are in the file, enough of them to be found once",
  "=======",
  "lines that take their place; none to delete",
  ">>>>>>> REPLACE",
  "All edits of an answer are applied, or none when one of them does not fit.",
}, "\n")

local MANY = [[
Put a line <<< path=/absolute/path >>> before the edits of each file. Only the listed files may be edited; an empty SEARCH
fills a file that is new or empty. Read what you need with the tools first.]]

local OUTPUT_CHARS = 8000

function M.system(job)
  local parts = {job.system or ROLE:format(job.lang)}
  parts[2] = job.diff and DIFF or FULL:format(job.lang)
  if job.many then parts[3] = MANY end
  return table.concat(parts, "\n\n")
end

-- content between marks, so that its end can be seen
local function section(title, text)
  return "=== " .. title .. " ===\n" .. text .. (text:sub(-1) == "\n" and "" or "\n")
end

--- `view`: `{text?, digest?}` of the one file.
function M.first_for_one(job, file, view)
  local parts = {"Specification:\n" .. job.spec, "Language: " .. job.lang, "Target file: " .. file.path}
  if view.digest then
    parts[#parts + 1] = section("Digest of the current file", view.digest)
  elseif view.text and view.text ~= "" then
    parts[#parts + 1] = section("Current file content", view.text)
  end
  return table.concat(parts, "\n\n")
end

--- Ends with the list of files.
function M.first_for_many(job, list, missing)
  local parts = {"Specification:\n" .. job.spec, "Language: " .. job.lang}
  if #missing > 0 then parts[3] = "These files do not exist yet:\n  " .. table.concat(missing, "\n  ") end
  local paths = {}
  for i, file in ipairs(list) do paths[i] = file.path end
  parts[#parts + 1] = "Files:\n  " .. table.concat(paths, "\n  ")
  return table.concat(parts, "\n\n")
end

-- the end of an output says most; bytes that are no text would make the message invalid
local function tail(text)
  if #text <= OUTPUT_CHARS then return text end
  local from = #text - OUTPUT_CHARS + 1
  while from < #text and text:byte(from) & 0xC0 == 0x80 do from = from + 1 end
  return "[...]\n" .. text:sub(from)
end

function M.after_check(run)
  return table.concat({
    "The check failed with exit code " .. run.exit_code .. ".",
    section("stdout", tail(run.stdout)), section("stderr", tail(run.stderr)),
    "Find the cause and answer with the correction, in the same form.",
  }, "\n\n")
end

--- Nothing was written; `text` is the file as it is, if it helps.
function M.after_no_edits(problem, text)
  local parts = {"Nothing was changed: " .. problem .. ". Answer again, in the form that was asked for."}
  if text then parts[2] = section("Current file content", text) end
  return table.concat(parts, "\n\n")
end

return M
