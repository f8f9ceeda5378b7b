-- Keeps what was found: rows in std.sql, sizes in std.ts. Every list of the report is a query.
local M = {}

local SERIES = "audit.package_bytes"
-- Series are kept from run to run; this tag tells ours from those before.
local run = ("%.6f"):format(std.time.now())
local count = 0

local function exec(sql, params) return std.sql.exec(sql, params or {}) end
local function query(sql, params) return std.sql.query(sql, params or {}) end

function M.open()
  for _, name in ipairs({ "audit_packages", "audit_native", "audit_scripts" }) do exec("DROP TABLE IF EXISTS " .. name) end
  exec([[CREATE TABLE audit_packages (path TEXT PRIMARY KEY, name TEXT NOT NULL, version TEXT, licence TEXT, licence_kind TEXT,
    files INTEGER NOT NULL, bytes INTEGER NOT NULL, broken TEXT)]])
  exec("CREATE TABLE audit_native (path TEXT NOT NULL, file TEXT NOT NULL, bytes INTEGER NOT NULL)")
  exec("CREATE TABLE audit_scripts (path TEXT NOT NULL, hook TEXT NOT NULL, command TEXT NOT NULL, file TEXT)")
  exec("BEGIN")
end

local function orNull(value) if value == nil then return std.sql.null end return value end

function M.add(p)
  count = count + 1
  exec("INSERT INTO audit_packages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", { p.path, p.name, orNull(p.version), orNull(p.licence),
    orNull(p.licence_kind), p.files, p.bytes, orNull(p.broken) })
  for _, native in ipairs(p.native) do exec("INSERT INTO audit_native VALUES (?, ?, ?)", { p.path, native.file, native.bytes }) end
  for _, s in ipairs(p.install) do exec("INSERT INTO audit_scripts VALUES (?, ?, ?, ?)", { p.path, s.hook, s.command, orNull(s.file) }) end
  std.ts.append(SERIES, p.bytes, { run = run, name = p.name }, count)
end

-- What is known about one package; nil when there is none.
function M.package(path)
  local found = query("SELECT * FROM audit_packages WHERE path = ?", { path })[1]
  if not found then return nil end
  for name, value in pairs(found) do if value == std.sql.null then found[name] = nil end end
  local native = query("SELECT file, bytes FROM audit_native WHERE path = ? ORDER BY file", { path })
  local scripts = query("SELECT hook, command, file FROM audit_scripts WHERE path = ? ORDER BY hook", { path })
  found.native, found.scripts = #native > 0 and native or nil, #scripts > 0 and scripts or nil
  return found
end

-- Every list the report shows, in a fixed order.
function M.facts()
  exec("COMMIT")
  local totals = query("SELECT count(*) AS packages, coalesce(sum(files), 0) AS files FROM audit_packages")[1]
  totals.bytes = count == 0 and 0 or std.ts.query(SERIES, { agg = "sum", tags = { run = run } })[1].value
  totals.names = query("SELECT count(DISTINCT name) AS n FROM audit_packages")[1].n
  return {
    totals = totals,
    duplicates = query([[SELECT name, group_concat(version, ', ') AS versions, count(*) AS versions_count FROM
      (SELECT DISTINCT name, version FROM audit_packages WHERE broken IS NULL ORDER BY name, version)
      GROUP BY name HAVING count(*) > 1 ORDER BY name]]),
    licences = query([[SELECT coalesce(licence, '(none)') AS licence, count(*) AS packages FROM audit_packages
      WHERE broken IS NULL GROUP BY licence ORDER BY packages DESC, licence]]),
    unusual_licences = query([[SELECT path, name, version, coalesce(licence, '(none)') AS licence FROM audit_packages
      WHERE licence_kind IN ('unusual', 'missing') ORDER BY path]]),
    install_scripts = query([[SELECT s.path, p.name, p.version, s.hook, s.command, coalesce(s.file, '') AS file FROM audit_scripts s
      JOIN audit_packages p USING (path) ORDER BY s.path, s.hook]]),
    native = query("SELECT path, file, bytes FROM audit_native ORDER BY bytes DESC, path, file"),
    largest = query("SELECT path, name, version, files, bytes FROM audit_packages ORDER BY bytes DESC, path LIMIT 20"),
    broken = query("SELECT path, broken AS reason FROM audit_packages WHERE broken IS NOT NULL ORDER BY path"),
  }
end

return M
