bus.on("turn", function(event)
  while event.payload == "long" do end
  return event.payload
end)
bus.serve()
