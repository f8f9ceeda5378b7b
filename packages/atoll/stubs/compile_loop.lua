---@meta compile_loop

---How code is written and tried.
---@class CompileLoopConf
---@field runner fun(path: (string | string[])): RunnerResult Tries what was written.
---@field name? string Name of the tool. Default `compile_loop`.
---@field max_iters? integer Tries. Default 5.
---@field lang? string Language. Default `lua`.
---@field system? string Instructions for the model.
---@field edit_mode? ("full" | "diff") Whole files, or pieces to replace. Default `full`.
---@field on_iter? fun(info: table): any Called after each try.
---@field llm? table `{provider, base_url, api_key, api_key_env, model, max_tokens, temperature, disable_thinking, timeout}`.
local CompileLoopConf = {}

---How a try ended.
---@class RunnerResult
---@field ok boolean It is accepted.
---@field stdout string What it wrote.
---@field stderr string What it wrote there.
---@field exit_code integer Its exit code.
local RunnerResult = {}

---A tool that is registered.
---@class ToolDefinition
---@field name string Its name.
---@field schema ToolSchema What a model is told.
---@field handler fun(input: any): any What it does.
local ToolDefinition = {}

---Lets a model write a file until a runner accepts it.
local compile_loop = {}

---Makes such a tool and registers it.
---@param conf CompileLoopConf Runner, bounds, model; see CompileLoopConf.
---@return ToolDefinition
function compile_loop.make(conf) end

return compile_loop
