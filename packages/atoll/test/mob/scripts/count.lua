bus.on("turn", function(event)
  local conversation = event.meta.conversation
  local done = event.tx:get("member", conversation) or {}
  done[#done + 1] = event.meta.turn_id
  event.tx:set("member", conversation, done)
  return { n = event.payload.n }
end)
bus.serve()
