-- What bench/lua-speed.bench.ts runs on both sides: some 30 to 60 ms each in stock Lua.
local work = {}

work["loop"] = function()
  local a, b = 0, 1
  for i = 1, 4000000 do a, b = b, (a + b + i) % 1000003 end
  return a
end

local function numbers(count)
  local list, seed = {}, 42
  for i = 1, count do
    seed = (seed * 1103515245 + 12345) % 2147483648
    list[i] = seed
  end
  return list
end

work["sort"] = function() table.sort(numbers(100000)) end

work["sort with a comparator"] = function() table.sort(numbers(50000), function(a, b) return a > b end) end

work["strings"] = function()
  local parts = {}
  for i = 1, 40000 do parts[i] = ("%d:%s"):format(i, ("item"):upper()) end
  local text = table.concat(parts, ",")
  local count = 0
  for _ in text:gmatch("(%d+):ITEM") do count = count + 1 end
  return count
end
