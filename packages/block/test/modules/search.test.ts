import assert from "node:assert/strict";
import { test } from "node:test";
import { embeddedChunkName, moduleDirs, packagePath } from "../../src/modules/search.ts";

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

test("the script's directory and blocks/ of the project are its own module folders", () => {
  assert.deepEqual(moduleDirs({ scriptDir: "/s", projectRoot: "/p" }), ["/s", "/p/blocks"]);
});

test("an embedded block has the chunk name @embedded:blocks/<name>/init.lua", () => {
  assert.equal(embeddedChunkName("agent"), "@embedded:blocks/agent/init.lua");
});
