-- Finds every package below a node_modules folder and deals them out in batches.
-- A turn's content is the folder; the answer is {packages, batches}: a batch is {root, packages}, a package its path and,
-- when there is a lock file, what it says of it.
local packages = require("packages")

local BATCH = 25

bus.on("turn", function(event)
  local root = event.payload
  local found = packages.find(root, packages.lock(root))
  local batches = {}
  for first = 1, #found, BATCH do
    batches[#batches + 1] = { root = root, packages = table.move(found, first, math.min(first + BATCH - 1, #found), 1, {}) }
  end
  return { packages = #found, batches = #batches > 0 and batches or std.json.array() }
end)

bus.serve()
