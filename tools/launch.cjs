"use strict";
// Starts a tool of this folder: `node tools/launch.cjs NAME [ARGS…]`. The tools are TypeScript, which only a
// new Node reads, so this file stays plain enough for any Node to read it and say what is missing.
var wanted = 24;
var found = Number(process.versions.node.split(".")[0]);
if (found < wanted) {
  console.error("atoll: this is Node " + process.versions.node + ", but Node " + wanted
    + " or newer is needed.\n"
    + "Run `npm ci` and start tools as npm scripts (`npm test`): npm then uses the Node that it brought.\n"
    + "If `npm ci` brought none (no build for this machine), install Node " + wanted + " yourself.");
  process.exit(2);
}
import("./" + process.argv[2] + ".ts").then(function (tool) {
  return tool.main(process.argv.slice(3));
}).then(function (code) {
  // Undefined: the tool goes on and sets the exit code itself.
  if (code !== undefined) process.exitCode = code;
}, function (error) {
  console.error(error);
  process.exitCode = 70;
});
