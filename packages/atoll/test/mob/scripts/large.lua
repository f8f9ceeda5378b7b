bus.on("turn", function(event)
  return { text = string.rep("x", event.payload.size) }
end)
bus.serve()
