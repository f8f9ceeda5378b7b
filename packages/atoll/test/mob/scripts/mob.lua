local mob = mob
bus.on("turn", function(event)
  local ask = event.payload
  if ask.verb == "flow" then return mob.flow.run(ask.args[1], ask.args[2]) end
  local ok, given = pcall(mob[ask.verb], table.unpack(ask.args or {}))
  if ok then return {given = given} end
  if ask.raise then error(given) end
  return {code = given.code, text = tostring(given)}
end)
bus.serve()
