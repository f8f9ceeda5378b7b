#!/usr/bin/env node
// The program's first file: says what is missing when Node is too old to read the rest, so it is kept this
// plain.
var wanted = 24;
if (Number(process.versions.node.split(".")[0]) < wanted) {
  console.error("atoll: Node " + wanted + " or newer is needed, this is Node " + process.versions.node + ".");
  process.exit(2);
} else {
  // Keeps compiled code between starts, in the folder for temporary files; NODE_DISABLE_COMPILE_CACHE=1 turns
  // it off.
  process.getBuiltinModule("node:module").enableCompileCache();
  import("./main.js");
}
