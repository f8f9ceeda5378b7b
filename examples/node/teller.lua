-- A teller: the Lua block of the example. `atoll node up teller.toml` runs it. A message is an event, its value the reply.
bus.on("teller.Teller.Greet", function(event)
  -- sent once this event is finished, and kept until the bank has it
  event.tx:tell("acme:bank:1.0.0", "bank.Bank.Note", {text = event.payload.name .. " was here"})
  -- a call the other way: whoever greets is asked for its mood
  local mood = mesh.request(event.meta.from, {question = "mood"})
  return {text = "hello " .. event.payload.name .. ", you seem " .. mood.answer, from = mesh.agent_id()}
end)
bus.serve()
