/** Lines of keys in TOML, however they are written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readTomlText } from "../../src/toml/read-toml.ts";
import { tomlLines, type TomlPath } from "../../src/toml/toml-lines.ts";

const TEXT = `# a comment with [brackets] and a = 1
[mob]
id = "audit" # "quoted"
members = [
  { id = "scout", profile = "s" }, # [1]
  { id = "a.b", "profile" = 'x', labels = { one = "}", two = "]" } },
]
text = """
[not.a.table]
id = "no"
"""
[profiles."my scout"]
script.name = "x"
[[approvals]]
id = "one"
[approvals.match]
grant = "fs.write"
[[approvals]]
match = { args = { path = "a#b" } }
grants = ["a",
  "b"]
path = 'C:\\\\'
quotes = """a "quoted" one"""""
when = 2026-11-22T03:00:00Z
[flows.audit.steps]
scan = { role = "scout" }
`;

const LINES: readonly (readonly [TomlPath, number | undefined])[] = [
  [["mob"], 2], [["mob", "id"], 3], [["mob", "members"], 4], [["mob", "members", 0, "profile"], 5], [["mob", "members", 1], 6],
  [["mob", "members", 1, "labels", "two"], 6], [["mob", "text"], 8], [["not"], undefined], [["profiles"], 12],
  [["profiles", "my scout", "script", "name"], 13], [["approvals"], 14], [["approvals", 0, "id"], 15], [["approvals", 0, "match", "grant"], 17],
  [["approvals", 1], 18], [["approvals", 1, "match", "args", "path"], 19], [["approvals", 1, "grants", 0], 20], [["approvals", 1, "grants", 1], 21],
  [["approvals", 1, "path"], 22], [["approvals", 1, "quotes"], 23], [["approvals", 1, "when"], 24], [["flows", "audit", "steps", "scan", "role"], 26],
  [["flows", "audit", "steps", "scan", "nothing"], undefined],
];

test("each key has the line on which it is written, in tables, lists, inline tables and dotted names", () => {
  const read = readTomlText(TEXT);
  assert.ok(read.ok);
  for (const [path, line] of LINES) assert.equal(read.lineOf(path), line, JSON.stringify(path));
});

test("a text that is cut anywhere is gone through to its end", () => {
  for (let end = 0; end < TEXT.length; end++) tomlLines(TEXT.slice(0, end))([]);
});
