-- compile_loop with the checks that are wanted most: a Lua file that tests itself, a Cargo package, or one's own.
local compile_loop = require("compile_loop")

local M = {}

local LLM = {
  "provider", "base_url", "api_key", "api_key_env", "model", "max_tokens", "temperature", "disable_thinking", "timeout",
}
local LOOP = {"name", "max_iters", "system", "edit_mode", "on_iter"}
local CHECK_SECONDS = 300

-- passes when the command ended well and said so
local function run(command, opts, word)
  local r = sh.exec(command, opts)
  local stdout, stderr = r.stdout or "", r.stderr or ""
  if not r.ok then stderr = stderr .. tostring(r.error) end
  local ok = r.ok and r.code == 0
  if ok and not stdout:find(word, 1, true) then
    ok, stderr = false, stderr .. "the output does not contain '" .. word .. "'\n"
  end
  return {ok = ok, stdout = stdout, stderr = stderr, exit_code = r.code or -1}
end

local function first(paths) return type(paths) == "table" and paths[1] or paths end

-- the folder of the package that a file is in
local function package_of(path)
  if not std.path.is_absolute(path) then path = std.path.join(std.env.project_root(), path) end
  local dir = std.path.parent(path)
  while dir do
    if std.fs.is_file(std.path.join(dir, "Cargo.toml")) then return dir end
    local up = std.path.parent(dir)
    if up == dir or up == "" then return nil end
    dir = up
  end
end

local kinds = {}

--- The file runs to its end and prints ALL_PASS.
function kinds.lua(paths) return run("lua", {args = {first(paths)}, timeout = CHECK_SECONDS}, "ALL_PASS") end

--- `cargo test` of the package passes.
function kinds.cargo(paths)
  local cwd = package_of(first(paths))
  if not cwd then return {ok = false, stdout = "", stderr = "there is no Cargo.toml above " .. first(paths), exit_code = -1} end
  return run("cargo", {args = {"test"}, cwd = cwd, timeout = CHECK_SECONDS}, "test result: ok")
end

local LANG = {lua = "lua", cargo = "rust"}

local function runner_of(kind)
  local runner = type(kind) == "function" and kind or kinds[kind]
  if not runner then error("unknown runner_kind: " .. tostring(kind), 0) end
  return runner
end

local function pick(from, names, into)
  for _, name in ipairs(names) do if from[name] ~= nil then into[name] = from[name] end end
  return into
end

-- settings of the model stand beside the others, or in `llm`
local function configured(opts, kind)
  local conf = pick(opts, LOOP, {runner = runner_of(kind), lang = opts.lang or LANG[kind]})
  conf.llm = pick(opts, LLM, pick(opts.llm or {}, LLM, {}))
  return conf
end

local function need_options(fn, opts)
  if type(opts) ~= "table" then error("coding_agent." .. fn .. ": options must be a table, got " .. type(opts), 0) end
end

--- Writes `target_file` (or edits `target_files`) until `runner` passes; the result of compile_loop as a table.
function M.run(opts)
  need_options("run", opts)
  local kind = opts.runner
  if kind == nil then kind = opts.runner_kind end
  local loop = (compile_loop._build or compile_loop.make)(configured(opts, kind))
  local input = {spec = opts.spec, lang = opts.lang, target_file = opts.target_file, target_files = opts.target_files}
  return std.json.decode(loop.handler(input))
end

--- Registers a tool for a model, by default `coding_agent`; its name.
function M.register_tool(opts)
  need_options("register_tool", opts)
  local kind = opts.runner_kind
  if kind == nil then kind = opts.runner end
  local conf = configured(opts, kind)
  conf.name = conf.name or "coding_agent"
  return compile_loop.make(conf).name
end

return M
