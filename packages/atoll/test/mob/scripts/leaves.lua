bus.on("turn", function(event)
  if event.payload == "leave" then os.exit(0) end
  return event.payload
end)
bus.serve()
