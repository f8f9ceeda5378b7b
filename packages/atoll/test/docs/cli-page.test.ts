import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { COMMANDS } from "../../bin/program/table.ts";
import { renderCli } from "./cli-page.ts";

test("docs/cli.md is what the program declares", () => {
  const page = readFileSync(new URL("../../../../docs/cli.md", import.meta.url), "utf8");
  assert.equal(page, renderCli(), "write it again: node packages/atoll/test/docs/write-docs.ts");
});

test("every flag has its own name and letter, and every text is a sentence", () => {
  for (const { name, flags, variables = [] } of COMMANDS) {
    const words = flags.flatMap((flag) => [flag.name, ...(flag.short === undefined ? [] : [flag.short])]);
    assert.equal(new Set(words).size, words.length, name);
    for (const { what } of [...flags, ...variables]) assert.match(what, /^[A-Z_a-z].*\.$|…\]\.|secret/, what);
  }
});
