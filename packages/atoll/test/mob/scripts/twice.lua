local runs = 0
bus.on("turn", function(event)
  local path, text = event.payload.path, event.payload.text
  if text == nil then return {free = true} end
  runs = runs + 1
  std.fs.write((path:gsub("asked", "before")), tostring(runs))
  local given = std.fs.write(path, text)
  return {runs = runs, wrote = type(given) == "string" and given or text}
end)
bus.serve()
