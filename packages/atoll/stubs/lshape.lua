---@meta lshape

---What a value should be.
---@class Schema
local Schema = {}

---The same, where nil is fine too.
---@return Schema
function Schema:is_optional() end

---The same, with a sentence for readers.
---@param doc string The sentence.
---@return Schema
function Schema:describe(doc) end

---Shapes of Lua values: checks, and types for editors.
local lshape = {}
lshape.t = {}
lshape.check = {}
lshape.reflect = {}
lshape.luacats = {}

---Schema of a string.
---@type Schema
lshape.t.string = nil

---Schema of a number.
---@type Schema
lshape.t.number = nil

---Schema of a boolean.
---@type Schema
lshape.t.boolean = nil

---Schema of a table.
---@type Schema
lshape.t.table = nil

---Schema of any value.
---@type Schema
lshape.t.any = nil

---Variable that turns `assert_dev` on: LSHAPE_CHECK.
---@type string
lshape.check.dev_env_var = nil

---Schemas by the name that `t.ref` gives.
---@type table
lshape.check.default_registry = nil

---A table with these fields.
---@param fields table<string, Schema> Schemas by name.
---@param opts? table `open = false` refuses other fields.
---@return Schema
function lshape.t.shape(fields, opts) end

---A shape with every field optional.
---@param of table A shape, or its fields.
---@param opts? table As of `shape`.
---@return Schema
function lshape.t.partial(of, opts) end

---A list.
---@param item Schema Schema of its items.
---@return Schema
function lshape.t.array_of(item) end

---A table whose every key and value fits.
---@param key Schema Of the keys.
---@param value Schema Of the values.
---@return Schema
function lshape.t.map_of(key, value) end

---One of these plain values.
---@param values any[] Which.
---@return Schema
function lshape.t.one_of(values) end

---Exactly this plain value.
---@param value any Which.
---@return Schema
function lshape.t.literal(value) end

---Whatever one of these accepts.
---@param schemas Schema[] Tried in order.
---@return Schema
function lshape.t.any_of(schemas) end

---A table whose field says which shape it has.
---@param tag string Name of the field.
---@param variants table<string, Schema> Shapes by its value.
---@return Schema
function lshape.t.discriminated(tag, variants) end

---A string in which a Lua pattern is found.
---@param pattern string Lua pattern.
---@return Schema
function lshape.t.pattern(pattern) end

---The schema of this name in the registry.
---@param name string Its name.
---@return Schema
function lshape.t.ref(name) end

---Was it made here?
---@param v any Any value.
---@return boolean
function lshape.t.is_schema(v) end

---True, or false and why not.
---@param v any What to check.
---@param schema Schema What it should be.
---@param opts? table `registry`: schemas for `t.ref`.
---@return boolean
---@return string?
function lshape.check.check(v, schema, opts) end

---The value itself, or an error.
---@param v any What to check.
---@param schema Schema What it should be.
---@param hint? string What is being looked at.
---@param opts? table As of `check`.
---@return any
function lshape.check.assert(v, schema, hint, opts) end

---`assert` while developing, else the value.
---@param v any What to check.
---@param schema Schema What it should be.
---@param hint? string What is being looked at.
---@param opts? table As of `check`.
---@return any
function lshape.check.assert_dev(v, schema, hint, opts) end

---Does LSHAPE_CHECK ask for the checks of `assert_dev`?
---@return boolean
function lshape.check.is_dev_mode() end

---The fields of a shape, by name.
---@param schema Schema A shape.
---@return table
function lshape.reflect.fields(schema) end

---Visits a schema and all within.
---@param schema Schema Where to begin.
---@param visit fun(schema: Schema, path: string): any `false` skips what is within.
function lshape.reflect.walk(schema, visit) end

---Types for editors: one class.
---@param name string Its name.
---@param schema Schema Its shape.
---@return string
function lshape.luacats.class_for(name, schema) end

---Types for editors: a whole file.
---@param schemas table<string, Schema> Schemas by name.
---@return string
function lshape.luacats.gen(schemas) end

return lshape
