---@meta

---Log lines, with the target `lua` and the name of the script.
log = {}

---Writes a log line of level debug.
---@param msg any Its text; what is no string goes through `tostring`.
---@param fields? table Plain data beside it.
function log.debug(msg, fields) end

---Writes a log line of level info.
---@param msg any Its text; what is no string goes through `tostring`.
---@param fields? table Plain data beside it.
function log.info(msg, fields) end

---Writes a log line of level warn.
---@param msg any Its text; what is no string goes through `tostring`.
---@param fields? table Plain data beside it.
function log.warn(msg, fields) end

---Writes a log line of level error.
---@param msg any Its text; what is no string goes through `tostring`.
---@param fields? table Plain data beside it.
function log.error(msg, fields) end
