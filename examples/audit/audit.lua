-- Audits the packages installed in a folder: versions, licences, install scripts, native binaries, sizes.
-- usage: atoll run -s examples/audit/audit.lua [-- FOLDER [OUTPUT_FOLDER]]
-- Writes report.md and report.json. The same input gives the same bytes. With a model key in the environment a model
-- writes report-summary.md too.
local find_packages = require("packages").find
local store = require("store")
local report = require("report")
local progress = require("progress")
local summary = require("summary")

local folder = arg[1] or "."
local output = arg[2] or "."

local function fail(text)
  io.stderr:write("audit: " .. text .. "\n")
  os.exit(2)
end

if not std.fs.is_dir(folder) then
  fail("'" .. folder .. "' is not a folder; give the folder of a project or its node_modules: npm start -- FOLDER")
end

-- A project, or the folder its packages are in.
local root = folder
if std.fs.is_dir(std.path.join(folder, "node_modules")) then
  root = std.path.join(folder, "node_modules")
elseif std.path.filename(std.path.absolute(folder)) ~= "node_modules" then
  fail("there is no node_modules in '" .. folder .. "'; install its packages first (npm ci), or give another folder")
end

store.open()
local show = progress.start()
local found = find_packages(root, show)
show.finish(#found)
for _, package in ipairs(found) do store.add(package) end

local facts = store.facts()
local markdown, json = report.render(facts)
std.fs.mkdir(output)
local md_path = std.path.join(output, "report.md")
local json_path = std.path.join(output, "report.json")
std.fs.write(md_path, markdown)
std.fs.write(json_path, json .. "\n")
print(facts.totals.packages .. " packages, " .. report.bytes(facts.totals.bytes) .. ", " .. #facts.duplicates
  .. " with several versions, " .. #facts.install_scripts .. " install scripts, " .. #facts.broken .. " broken")
print("report: " .. std.path.absolute(md_path))
print("data:   " .. std.path.absolute(json_path))

-- An old one would speak of another report.
local summary_path = std.path.join(output, "report-summary.md")
if std.fs.is_file(summary_path) then os.remove(summary_path) end
local provider = summary.provider()
if not provider then
  print("no summary in prose: with ANTHROPIC_API_KEY or OPENAI_API_KEY in the environment a model writes one")
else
  local text, problem = summary.write(facts, provider)
  if text then
    std.fs.write(summary_path, text)
    print("summary: " .. std.path.absolute(summary_path))
  else
    print("no summary in prose: " .. problem)
  end
end
return { packages = facts.totals.packages, bytes = facts.totals.bytes, report = md_path }
