bus.on("turn", function(event)
  return { said = event.payload, attempt = event.meta.attempt, from = event.meta.from, conversation = event.meta.conversation }
end)
bus.serve()
