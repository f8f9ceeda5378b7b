-- A teller: the Lua block of the example. `atoll node up teller.toml` runs it. A message is an event, its value the reply.
bus.on("teller.Teller.Greet", function(event)
  -- sent once this event is finished, and kept until the bank has it
  event.tx:tell("acme:bank:1.0.0", "bank.Bank.Note", {text = event.payload.name .. " was here"})
  -- a call the other way: whoever greets is asked for its mood
  local mood = mesh.request(event.meta.from, {question = "mood"})
  return {text = "hello " .. event.payload.name .. ", you seem " .. mood.answer, from = mesh.agent_id()}
end)
bus.on("teller.Teller.Remember", function(event)
  print("teller: remembers " .. event.payload.name)
end)
-- a stream is one event to open it, one for each item (its bytes, here JSON), one at its end
local word = ""
bus.on("stream:teller.Teller.Letters", function(event)
  if event.payload.event == "data" then word = word .. std.json.decode(event.payload.data).letter end
  if event.payload.event == "end" then print("teller: read " .. word) end
end)
bus.serve()
