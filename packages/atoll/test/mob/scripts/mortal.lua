bus.on("turn", function(event)
  if event.payload == "bad" then error("no good") end
  if event.meta.attempt == 1 then os.exit(3) end
  return { attempt = event.meta.attempt }
end)
bus.serve()
