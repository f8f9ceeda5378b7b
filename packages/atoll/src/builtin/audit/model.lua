-- The model of this member's profile: {provider, model}, or nil when it has none, or no key for it.
return function()
  local ok, me = pcall(mob.me)
  return ok and me.model and { provider = me.provider, model = me.model } or nil
end
