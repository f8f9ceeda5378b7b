-- Judges what was found in a package. Marks are added up, so that one who reads the report can say where a score comes from.
local M = {}

-- The largest script that is read for its calls, bytes.
local READ_MAX = 262144
-- What an install script should have a good reason for: a word for the report, and how it looks in the source.
local CALLS = {
  { "starts programs", { "child_process", "execSync", "spawnSync", "execa" } },
  { "asks the network", { "require%(['\"]https?['\"]%)", "from ['\"]node:https?['\"]", "fetch%(", "curl ", "wget " } },
  { "runs text as code", { "eval%(", "new Function%(", "vm%.runIn" } },
  { "reads secrets", { "process%.env%.npm_config__auth", "%.npmrc", "%.ssh/" } },
}

-- What an install script calls that is risky: a list of words, or nil.
function M.calls(command, file)
  local source = command .. " "
  if file then
    local ok, text = pcall(function() return std.fs.metadata(file).size <= READ_MAX and std.fs.read(file) or "" end)
    if ok then source = source .. text end
  end
  local found = {}
  for _, call in ipairs(CALLS) do
    for _, pattern in ipairs(call[2]) do
      if source:find(pattern) then
        found[#found + 1] = call[1]
        break
      end
    end
  end
  return #found > 0 and found or nil
end

function M.score(package)
  local score = 0
  local function mark(is, points) if is then score = score + points end end
  mark(#package.install > 0, 40)
  for _, script in ipairs(package.install) do mark(script.risky, 10 * #(script.risky or {})) end
  mark(#package.native > 0, 15)
  mark(package.licence_kind == "missing", 15)
  mark(package.licence_kind == "unusual", 10)
  mark(package.broken, 30)
  mark(package.locked, 25)
  mark(package.unlocked, 10)
  mark(package.unsigned, 10)
  return math.min(100, score)
end

return M
