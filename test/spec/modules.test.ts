// Block 5.11: where modules come from.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { emptyFolder, valueOf } from "./support.ts";

function tree(files: Readonly<Record<string, string>>): string {
  const folder = emptyFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

test("package.path is the script's directory, the project's blocks, the program's blocks, Lua's default", async () => {
  const [projectRoot, program] = [tree({}), tree({})];
  const path = await valueOf("return package.path", { projectRoot, parts: { programBlocksDir: join(program, "blocks") } }) as string;
  const wanted = [projectRoot, join(projectRoot, "blocks"), join(program, "blocks")].flatMap((dir) => [`${dir}/?.lua`, `${dir}/?/init.lua`]);
  assert.deepEqual(path.split(";").slice(0, 6), wanted);
  assert.match(path, /;\.\/\?\.lua;\.\/\?\/init\.lua$/);
});

test("modules are looked for in that order", async () => {
  const projectRoot = tree({ "s/main.lua": "return {require('a'), require('b'), (require('c'))}", "s/a.lua": "return 'script'",
    "blocks/a.lua": "return 'project'", "blocks/b/init.lua": "return 'project'" });
  const program = tree({ "a.lua": "return 'program'", "b.lua": "return 'program'", "c.lua": "return 'program'" });
  assert.deepEqual(await valueOf("", { projectRoot, script: { path: join(projectRoot, "s/main.lua") }, parts: { programBlocksDir: program } }),
    ["script", "project", "program"]);
});

test("the modules of the program are the script's own in restricted mode too", async () => {
  const program = tree({ "c.lua": "return 'program'" });
  assert.equal(await valueOf("return require('c')", { grants: [], parts: { programBlocksDir: program } }), "program");
});

test("an inline script has the project root as its directory", async () => {
  assert.equal(await valueOf("return require('beside')", { projectRoot: tree({ "beside.lua": "return 1" }) }), 1);
});

test("the last searcher is that of embedded blocks: no embedded block '<name>'", async () => {
  const said = await valueOf("return select(2, pcall(require, 'nowhere'))") as string;
  assert.ok(said.endsWith("\n\tno embedded block 'nowhere'"), said);
  assert.match(said, /module 'nowhere' not found:/);
});

test("files win, so a project replaces any standard block", async () => {
  assert.equal(await valueOf("return require('agent')", { projectRoot: tree({ "blocks/agent/init.lua": "return 'mine'" }) }), "mine");
});
