---@meta

---Text, counted in characters (code points).
std.string = {}

---Without the blanks around it.
---@param s string Text.
---@return string
function std.string.trim(s) end

---Without the blanks before it.
---@param s string Text.
---@return string
function std.string.trim_start(s) end

---Without the blanks behind it.
---@param s string Text.
---@return string
function std.string.trim_end(s) end

---The parts between separators.
---@param s string Text.
---@param sep string Separator, not empty.
---@return string[]
function std.string.split(s, sep) end

---Does it begin so?
---@param s string Text.
---@param start string What to look for, as it is.
---@return boolean
function std.string.starts_with(s, start) end

---Does it end so?
---@param s string Text.
---@param end string What to look for, as it is.
---@return boolean
function std.string.ends_with(s, end_) end

---Is that in it?
---@param s string Text.
---@param part string What to look for, as it is.
---@return boolean
function std.string.contains(s, part) end

---With the first match replaced.
---@param s string Text.
---@param from string What to look for, as it is.
---@param to string What comes in its place, as it is.
---@return string
function std.string.replace(s, from, to) end

---With every match replaced.
---@param s string Text.
---@param from string What to look for, as it is.
---@param to string What comes in its place, as it is.
---@return string
function std.string.replace_all(s, from, to) end

---Filled up in front.
---@param s string Text.
---@param w integer Characters it should have.
---@param fill? string One character; default a space.
---@return string
function std.string.pad_start(s, w, fill) end

---Filled up at the end.
---@param s string Text.
---@param w integer Characters it should have.
---@param fill? string One character; default a space.
---@return string
function std.string.pad_end(s, w, fill) end

---At most so many characters.
---@param s string Text.
---@param n integer Characters at most, suffix included.
---@param suffix? string Put at the end of what was cut.
---@return string
function std.string.truncate(s, n, suffix) end

---In capitals.
---@param s string Text.
---@return string
function std.string.upper(s) end

---In small letters.
---@param s string Text.
---@return string
function std.string.lower(s) end

---Its characters.
---@param s string Text.
---@return string[]
function std.string.chars(s) end

---How many characters it has.
---@param s string Text.
---@return integer
function std.string.char_count(s) end

---From back to front.
---@param s string Text.
---@return string
function std.string.reverse(s) end
