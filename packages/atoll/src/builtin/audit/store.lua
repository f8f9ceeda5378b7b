-- Keeps what was found: rows in std.sql, sizes in std.ts. Every list of the report is a query.
local M = {}

local SERIES = "audit.bytes"
-- Series are kept from run to run; this tag tells ours from those before.
local run, count

local function exec(sql, params) return std.sql.exec(sql, params or {}) end
local function query(sql, params) return std.sql.query(sql, params or {}) end

function M.open()
  run, count = ("%.6f"):format(std.time.now()), 0
  for _, name in ipairs({ "audit_packages", "audit_native", "audit_scripts", "audit_opinions" }) do exec("DROP TABLE IF EXISTS " .. name) end
  exec([[CREATE TABLE audit_packages (path TEXT PRIMARY KEY, name TEXT NOT NULL, version TEXT, licence TEXT, licence_kind TEXT,
    files INTEGER NOT NULL, bytes INTEGER NOT NULL, broken TEXT, engine TEXT, locked TEXT, score INTEGER NOT NULL)]])
  exec("CREATE TABLE audit_native (path TEXT NOT NULL, file TEXT NOT NULL, bytes INTEGER NOT NULL)")
  exec("CREATE TABLE audit_scripts (path TEXT NOT NULL, hook TEXT NOT NULL, command TEXT NOT NULL, file TEXT, risky TEXT)")
  exec("CREATE TABLE audit_opinions (path TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL)")
  exec("CREATE TABLE IF NOT EXISTS audit_made (turn TEXT PRIMARY KEY, markdown TEXT NOT NULL, json TEXT NOT NULL, problem TEXT, opinion_problem TEXT)")
  exec("BEGIN")
end

local function orNull(value) if value == nil then return std.sql.null end return value end

-- What one auditor has found: a list of packages, taken apart by the database, in a few statements however many they are.
function M.add(packages)
  local list = std.json.encode(packages)
  exec([[INSERT INTO audit_packages SELECT value->>'path', value->>'name', value->>'version', value->>'licence', value->>'licence_kind',
    value->>'files', value->>'bytes', value->>'broken', value->>'engine',
    CASE WHEN value->>'unlocked' THEN 'not in the lock file' WHEN value->>'locked' IS NOT NULL THEN 'locked as ' || (value->>'locked')
      WHEN value->>'unsigned' THEN 'no checksum' END, value->>'score' FROM json_each(?)]], { list })
  exec([[INSERT INTO audit_native SELECT p.value->>'path', n.value->>'file', n.value->>'bytes'
    FROM json_each(?) p, json_each(p.value->'native') n]], { list })
  exec([[INSERT INTO audit_scripts SELECT p.value->>'path', s.value->>'hook', s.value->>'command', s.value->>'file',
    (SELECT group_concat(value, ', ') FROM json_each(s.value->'risky')) FROM json_each(?) p, json_each(p.value->'install') s]], { list })
  exec([[INSERT INTO audit_opinions SELECT value->>'path', value->'opinion'->>'verdict', value->'opinion'->>'reason'
    FROM json_each(?) WHERE value->'opinion' IS NOT NULL]], { list })
  local bytes = 0
  for _, package in ipairs(packages) do bytes = bytes + package.bytes end
  count = count + 1
  std.ts.append(SERIES, bytes, { run = run }, count)
end

-- Gives up what was begun and is not whole.
function M.abandon() pcall(exec, "ROLLBACK") end

-- The report of a turn that runs again: its calls are to be the same, also where a model has written a part of it.
function M.kept(turn)
  if #query("SELECT 1 FROM sqlite_master WHERE name = 'audit_made'") == 0 then return nil end
  local found = query("SELECT markdown, json, problem, opinion_problem FROM audit_made WHERE turn = ?", { turn })[1]
  for name, value in pairs(found or {}) do if value == std.sql.null then found[name] = nil end end
  return found
end

function M.keep(turn, report)
  exec("DELETE FROM audit_made")
  exec("INSERT INTO audit_made VALUES (?, ?, ?, ?, ?)", { turn, report.markdown, report.json, orNull(report.problem), orNull(report.opinion_problem) })
  return report
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
  local opinions = query([[SELECT o.path, p.name, p.version, o.verdict, o.reason FROM audit_opinions o JOIN audit_packages p USING (path) ORDER BY o.path]])
  local totals = query("SELECT count(*) AS packages, coalesce(sum(files), 0) AS files FROM audit_packages")[1]
  totals.bytes = count == 0 and 0 or std.ts.query(SERIES, { agg = "sum", tags = { run = run } })[1].value
  totals.names = query("SELECT count(DISTINCT name) AS n FROM audit_packages")[1].n
  return {
    totals = totals, second_opinions = #opinions > 0 and opinions or nil,
    duplicates = query([[SELECT name, group_concat(version, ', ') AS versions, count(*) AS versions_count FROM
      (SELECT DISTINCT name, version FROM audit_packages WHERE broken IS NULL ORDER BY name, version)
      GROUP BY name HAVING count(*) > 1 ORDER BY name]]),
    licences = query([[SELECT coalesce(licence, '(none)') AS licence, count(*) AS packages FROM audit_packages
      WHERE broken IS NULL GROUP BY licence ORDER BY packages DESC, licence]]),
    unusual_licences = query([[SELECT path, name, version, coalesce(licence, '(none)') AS licence FROM audit_packages
      WHERE licence_kind IN ('unusual', 'missing') ORDER BY path]]),
    install_scripts = query([[SELECT s.path, p.name, p.version, s.hook, s.command, coalesce(s.file, '') AS file,
      coalesce(s.risky, '') AS risky FROM audit_scripts s
      JOIN audit_packages p USING (path) ORDER BY s.path, s.hook]]),
    native = query("SELECT path, file, bytes FROM audit_native ORDER BY bytes DESC, path, file"),
    largest = query("SELECT path, name, version, files, bytes FROM audit_packages ORDER BY bytes DESC, path LIMIT 20"),
    scores = query("SELECT path, name, version, score FROM audit_packages WHERE score >= 25 ORDER BY score DESC, path"),
    locked = query("SELECT path, name, version, locked FROM audit_packages WHERE locked IS NOT NULL ORDER BY path"),
    engines = query([[SELECT engine, count(*) AS packages FROM audit_packages WHERE engine IS NOT NULL
      GROUP BY engine ORDER BY packages DESC, engine]]),
    broken = query("SELECT path, broken AS reason FROM audit_packages WHERE broken IS NOT NULL ORDER BY path"),
  }
end

return M
