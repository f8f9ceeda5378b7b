bus.on("turn", function(event)
  std.fs.write(event.payload.path, event.payload.text)
  return { written = event.payload.path, attempt = event.meta.attempt }
end)
bus.serve()
