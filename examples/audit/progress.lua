-- Progress for people: one line that is rewritten on a terminal, a plain line now and then elsewhere.
local M = {}

function M.start()
  local terminal = std.env.get("AUDIT_TERMINAL") == "1"
  local last = 0
  local show = {}
  function show.step(done, total, name)
    if terminal then
      if done - last < 5 and done < total then return end
      last = done
      io.stderr:write(("\r\27[K%d/%d %s"):format(done, total, std.string.truncate(name, 60, "…")))
    elseif done % 100 == 0 then
      io.stderr:write(("read %d of %d packages\n"):format(done, total))
    end
  end
  function show.finish(total)
    if terminal then io.stderr:write("\r\27[K") end
    io.stderr:write(("read %d packages\n"):format(total))
  end
  return show
end

return M
