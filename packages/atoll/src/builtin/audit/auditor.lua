-- Looks through the packages of one batch, several at a time.
-- A turn's content is {root, packages} as the scout gives it; the answer is {packages}: what was found in each. With a model those that are
-- rated high get a second opinion; `opinion_problem` says why some have none.
local inspect = require("inspect")
local model_of = require("model")
local opinion = require("opinion")

local WORKERS = 8

bus.on("turn", function(event)
  local root, packages = event.payload.root, event.payload.packages
  local found, next_index = {}, 0
  std.task.scope("audit", function(scope)
    local workers = {}
    for i = 1, WORKERS do
      workers[i] = scope:spawn(function()
        while next_index < #packages do
          next_index = next_index + 1
          local index = next_index
          found[index] = inspect.package(root, packages[index])
        end
      end, { name = "worker " .. i })
    end
    for i = 1, WORKERS do workers[i]:join() end
  end)
  local model = model_of()
  return { packages = found, opinion_problem = model and opinion.add(root, found, model) }
end)

bus.serve()
