-- A member that says what it was told.
bus.on("turn", function(event) return event.payload end)
bus.serve()
