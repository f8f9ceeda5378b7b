---@meta

---Clocks.
std.time = {}

---Seconds since 1970, with fractions.
---@return number
function std.time.now() end

---Milliseconds since 1970.
---@return integer
function std.time.millis() end

---Calls a function: seconds it took, and its results.
---@param fn fun(): ...any Called without arguments.
---@return number
---@return any ...
function std.time.measure(fn) end

---Waits; other tasks go on meanwhile.
---@async
---@param seconds number At most 86,400.
function std.time.sleep(seconds) end
