-- Renders the facts as Markdown and as JSON. No time and no absolute path, so that the same input gives the same bytes.
local M = {}

function M.bytes(n)
  if n < 1024 then return n .. " B" end
  local value, unit = n / 1024, "KiB"
  if value >= 1024 then value, unit = value / 1024, "MiB" end
  return ("%.1f %s"):format(value, unit)
end

local function cell(value)
  if value == nil or value == std.sql.null then return "" end
  return (tostring(value):gsub("[|\\]", "\\%0"):gsub("[\r\n]+", " "))
end

local function section(out, title, empty, columns, rows)
  out[#out + 1] = "\n## " .. title .. "\n"
  if #rows == 0 then
    out[#out + 1] = empty
    return
  end
  local head, rule = {}, {}
  for i, column in ipairs(columns) do head[i], rule[i] = column[1], column.right and "---:" or "---" end
  out[#out + 1] = "| " .. table.concat(head, " | ") .. " |"
  out[#out + 1] = "|" .. table.concat(rule, "|") .. "|"
  for _, row in ipairs(rows) do
    local cells = {}
    for i, column in ipairs(columns) do cells[i] = cell(column.show and column.show(row) or row[column[2]]) end
    out[#out + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
end

local function first(rows, n) return table.move(rows, 1, math.min(n, #rows), 1, {}) end

local function size(row) return M.bytes(row.bytes) end

-- All of it in one line.
function M.line(facts)
  return ("%d packages, %s, %d with several versions, %d install scripts, %d broken"):format(
    facts.totals.packages, M.bytes(facts.totals.bytes), #facts.duplicates, #facts.install_scripts, #facts.broken)
end

-- `summary`: prose that stands on top, or nil. `failed`: batches that nobody could look through.
function M.render(facts, summary, failed)
  local t = facts.totals
  local out = { "# Audit of installed packages\n" }
  if summary then out[2] = summary end
  for _, line in ipairs({
    ("%d packages under %d names, %d files, %s.\n"):format(t.packages, t.names, t.files, M.bytes(t.bytes)),
    "What to look at first: install scripts run code when a package is installed; native binaries cannot be read;",
    "a missing licence means nobody may use the package; several versions of one package cost space and cause surprises.",
  }) do out[#out + 1] = line end
  if #failed > 0 then section(out, "Not audited", "", { { "Batch", "batch", right = true }, { "Why", "reason" } }, failed) end
  section(out, "Look at these first", "Nothing stands out.", {
    { "Package", "path" }, { "Version", "version" }, { "Score", "score", right = true } }, first(facts.scores, 20))
  section(out, "Install scripts", "None.", {
    { "Package", "path" }, { "Version", "version" }, { "When", "hook" }, { "Command", "command" }, { "Calls", "file" }, { "Risky", "risky" } }, facts.install_scripts)
  -- Only a model gives them: without one the report has no word of it.
  if facts.second_opinions then
    section(out, "Second opinions", "", { { "Package", "path" }, { "Version", "version" }, { "Verdict", "verdict" }, { "Why", "reason" } }, facts.second_opinions)
  end
  section(out, "Unusual or missing licences", "None.", {
    { "Package", "path" }, { "Version", "version" }, { "Licence", "licence" } }, facts.unusual_licences)
  section(out, "Several versions", "None.", { { "Package", "name" }, { "Versions", "versions" } }, facts.duplicates)
  section(out, "Native binaries", "None.", { { "Package", "path" }, { "File", "file" }, { "Size", show = size, right = true } }, facts.native)
  section(out, "Largest packages", "None.", {
    { "Package", "path" }, { "Version", "version" }, { "Files", "files", right = true }, { "Size", show = size, right = true } }, facts.largest)
  section(out, "Other than in the lock file", "None.", {
    { "Package", "path" }, { "Version", "version" }, { "How", "locked" } }, facts.locked)
  section(out, "Engines", "None.", { { "Node.js", "engine" }, { "Packages", "packages", right = true } }, facts.engines)
  section(out, "Licences", "None.", { { "Licence", "licence" }, { "Packages", "packages", right = true } }, facts.licences)
  section(out, "Broken packages", "None.", { { "Package", "path" }, { "Why", "reason" } }, facts.broken)
  return table.concat(out, "\n") .. "\n"
end

return M
