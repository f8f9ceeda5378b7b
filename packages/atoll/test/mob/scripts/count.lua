bus.on("turn", function(event)
  local seen = (event.tx:get("seen") or 0) + 1
  event.tx:set("seen", seen)
  return { n = event.payload.n, seen = seen }
end)
bus.serve()
