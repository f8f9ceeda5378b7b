---@meta

---The standard library.
std = {}
