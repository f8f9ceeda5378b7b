import assert from "node:assert/strict";
import { test } from "node:test";
import { colouredLine, wantsColour } from "../../bin/output/colours.ts";

test("colours only on a terminal, and NO_COLOR is respected", () => {
  const terminal = { isTTY: true };
  assert.equal(wantsColour(terminal, {}), true);
  assert.equal(wantsColour(terminal, { NO_COLOR: "" }), true);
  assert.equal(wantsColour({ isTTY: false }, {}), false);
  assert.equal(wantsColour({}, {}), false);
  assert.equal(wantsColour(terminal, { NO_COLOR: "1" }), false);
  assert.equal(wantsColour(terminal, { TERM: "dumb" }), false);
});

test("of a line of the log time, level and target have colours, its text has none", () => {
  const line = colouredLine("2026-01-02T03:04:05.678Z  WARN lua: text with: colons", "warn");
  assert.ok(line.endsWith("\u001b[0m text with: colons"), line);
  // oxlint-disable-next-line no-control-regex -- colours are control characters
  assert.equal(line.replace(/\u001b\[\d+m/g, ""), "2026-01-02T03:04:05.678Z  WARN lua: text with: colons");
});
