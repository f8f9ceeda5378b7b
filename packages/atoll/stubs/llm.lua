---@meta

---What to do with the text of a model.
llm = {}

---The first JSON value in a fence, else the first object or array; mends small mistakes.
---@param text string What the model wrote.
---@return any?
function llm.extract_json(text) end

---The inside of the first fenced block, else the text as it is.
---@param text string What the model wrote.
---@return string
function llm.strip_fences(text) end
