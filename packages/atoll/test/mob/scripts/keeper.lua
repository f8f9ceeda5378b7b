-- writes what it is asked for; what becomes of a draft comes as a turn of its own
bus.on("turn", function(event)
  if event.payload.approval then return {told = event.payload} end
  local given = std.fs.write(event.payload.path, event.payload.text)
  return {given = given}
end)
bus.serve()
