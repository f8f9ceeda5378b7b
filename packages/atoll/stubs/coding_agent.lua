---@meta coding_agent

---A model that writes a file which passes its tests.
local coding_agent = {}

---Writes a file and gives the outcome of `compile_loop` as a table.
---@async
---@param opts table `{target_file, spec, runner, …}` and the fields of `llm`.
---@return table
function coding_agent.run(opts) end

---Registers it as a tool and gives its name.
---@param opts table `runner_kind`: `lua`, `cargo` or a function.
---@return string
function coding_agent.register_tool(opts) end

return coding_agent
