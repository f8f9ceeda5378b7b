-- Asks a model once for each turn, as any script may.
local agent = require("agent")
bus.on("turn", function(event)
  local result = agent.run{prompt = event.payload, retries = 0}
  if result.ok then return result.content end
  return {code = result.error_code, error = result.error}
end)
bus.serve()
