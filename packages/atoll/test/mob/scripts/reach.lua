bus.on("turn", function(event)
  local asked = event.payload
  local function act()
    if asked.grant == "fs.write" then return std.fs.write(asked.at, "x") end
    if asked.grant == "net" then return http.request("http://" .. asked.at .. "/") end
    local done = sh.exec(asked.at, { args = {} })
    if not done.ok then error({ atoll = done.code, message = done.error }) end
  end
  if not asked.by_agent then return act() end
  local agent = require("agent")
  local fault
  tool.register("act", { description = "Acts.", input_schema = { type = "object", properties = {}, required = {} } }, function()
    local ok, raised = pcall(act)
    if not ok then
      fault = raised
      error(raised)
    end
  end)
  local answer = agent.run { prompt = "go", provider = "anthropic", retries = 0 }
  -- The loop goes on and the model reads why; the turn ends as the call has.
  if fault and answer.ok then error(fault) end
  return answer
end)
bus.serve()
