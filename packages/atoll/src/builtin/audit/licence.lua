-- Reads the licence of a package and says whether it is a usual one.
local M = {}

-- Permissive licences most packages have (SPDX identifiers).
local USUAL = {}
for id in ([[MIT ISC Apache-2.0 BSD-2-Clause BSD-3-Clause 0BSD CC0-1.0 Unlicense BlueOak-1.0.0 Python-2.0 Zlib
  CC-BY-3.0 CC-BY-4.0 MIT-0 WTFPL Artistic-2.0]]):gmatch("%S+") do USUAL[id:lower()] = true end

local function to_text(value)
  if type(value) == "string" then return value end
  if type(value) ~= "table" then return nil end
  if value.type then return tostring(value.type) end
  local names = {}
  for i = 1, #value do names[#names + 1] = to_text(value[i]) end
  return #names > 0 and table.concat(names, " OR ") or nil
end

-- An expression is usual when one of its alternatives is, and each part of that one is.
local function usual(expression)
  for choice in (expression:gsub("[()]", " ") .. " OR "):gmatch("(.-)%s+[oO][rR]%s+") do
    local all, any = true, false
    for id in (choice .. " AND "):gmatch("(.-)%s+[aA][nN][dD]%s+") do
      any = true
      if not USUAL[std.string.trim(id):lower()] then all = false end
    end
    if any and all then return true end
  end
  return false
end

-- → text and "usual", "unusual" or "missing"
function M.read(manifest)
  local text = to_text(manifest.license) or to_text(manifest.licenses)
  if text == nil or std.string.trim(text) == "" then return nil, "missing" end
  return text, usual(text) and "usual" or "unusual"
end

return M
