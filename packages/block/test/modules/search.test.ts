import assert from "node:assert/strict";
import { test } from "node:test";
import { candidateFiles, embeddedChunkName, notFoundText, packagePath } from "../../src/modules/search.ts";

const DEFAULT = "/usr/local/share/lua/5.4/?.lua;/usr/local/share/lua/5.4/?/init.lua;"
  + "/usr/local/lib/lua/5.4/?.lua;/usr/local/lib/lua/5.4/?/init.lua;./?.lua;./?/init.lua";

test("package.path is the script's directory, the project's blocks, Lua's default", () => {
  assert.equal(packagePath({ scriptDir: "/s", projectRoot: "/p" }),
    `/s/?.lua;/s/?/init.lua;/p/blocks/?.lua;/p/blocks/?/init.lua;${DEFAULT}`);
});

test("blocks/ beside the program comes after the project's blocks", () => {
  assert.equal(packagePath({ scriptDir: "/s/", projectRoot: "/", programBlocksDir: "/opt/x/blocks" }),
    "/s/?.lua;/s/?/init.lua;/blocks/?.lua;/blocks/?/init.lua;"
    + `/opt/x/blocks/?.lua;/opt/x/blocks/?/init.lua;${DEFAULT}`);
});

test("dots of a module name are directories", () => {
  assert.deepEqual(candidateFiles("/s/?.lua;;/s/?/init.lua", "a.b"), ["/s/a/b.lua", "/s/a/b/init.lua"]);
});

test("a name with a dollar sign is put into the template as it is", () => {
  assert.deepEqual(candidateFiles("/s/?.lua", "a$&b"), ["/s/a$&b.lua"]);
});

test("an embedded block has the chunk name @embedded:blocks/<name>/init.lua", () => {
  assert.equal(embeddedChunkName("agent"), "@embedded:blocks/agent/init.lua");
});

test("a module that is nowhere is told in Lua's wording, embedded blocks last", () => {
  assert.equal(notFoundText("x", ["/s/x.lua", "./x.lua"]),
    "module 'x' not found:\n\tno field package.preload['x']\n\tno file '/s/x.lua'\n\tno file './x.lua'\n"
    + "\tno embedded block 'x'");
});
