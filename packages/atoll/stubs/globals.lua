---@meta

---The prompt of the run; nil when none was given.
---@type string?
_PROMPT = nil

---The context of the run; nil when none was given.
---@type string?
_CONTEXT = nil

---Name of the script.
---@type string
_SCRIPT_NAME = nil

---Arguments of the run, also `...` of the script.
---@type string[]
arg = nil

---All tools by name: `{name, schema, handler, group?}`.
---@type table<string, any>
_TOOL_REGISTRY = nil

---Writes a line to standard output: the values with tabs between.
---@async
---@param ... any Whatever `tostring` takes.
function print(...) end

---Loads a module: of the project, of `blocks/`, else a standard block.
---@async
---@param name string `a.b` is the file `a/b.lua` or `a/b/init.lua`.
---@return any
---@return any?
function require(name) end
