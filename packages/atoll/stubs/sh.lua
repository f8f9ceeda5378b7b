---@meta

---How a command runs.
---@class ShOptions
---@field timeout? number Seconds, then its process group is ended. Default 30.
---@field cwd? string Folder; default the project's.
---@field env? table<string, string> Variables to add.
---@field stdin? string Its input; default none.
---@field max_output? integer Bytes of each stream; default 10 MiB.
---@field args? string[] Arguments; then no shell is used.
---@field detach? boolean Leave it running; needs the grant `run:detach`.
local ShOptions = {}

---How a command ended.
---@class ShResult
---@field ok boolean It ran to an end, whatever its code.
---@field code? (integer | string) Exit code, -1 when a signal ended it; `grant.denied` when it was refused.
---@field stdout? string What it wrote.
---@field stderr? string What it wrote there.
---@field signal? string Signal that ended it.
---@field truncated? boolean There was more output.
---@field error? string Why it is not ok: `timeout after 30s`, `exec error: …`.
---@field timed_out? boolean It was ended by the timeout.
---@field pid? integer Process of a detached command.
local ShResult = {}

---Commands of the system.
sh = {}

---Runs a command; one that fails is a result, never an error.
---@async
---@param cmd string Text for `sh -c`; with `args` the name of a program.
---@param opts? ShOptions See ShOptions.
---@return ShResult
function sh.exec(cmd, opts) end
