-- appends twice to one file and once to another, and says what it was given
bus.on("turn", function(event)
  local out = event.payload.out
  local function append(name) return tostring(std.fs.append(out .. "/" .. name, "x")) end
  local first, again = append("asked-1"), append("asked-1")
  append("free")
  return {first = first, again = again, other = append("asked-2"), attempt = event.meta.attempt}
end)
bus.serve()
