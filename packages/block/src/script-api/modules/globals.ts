/** Globals, and what is Lua's own. */
import { apiModule, fn, value } from "../declare.ts";

export const globals = apiModule("_G", "Values that a script finds, and Lua functions that do more here.", {
  values: [
    value("_PROMPT: string?", "The prompt of the run; nil when none was given.", { luaOnly: true }),
    value("_CONTEXT: string?", "The context of the run; nil when none was given.", { luaOnly: true }),
    value("_SCRIPT_NAME: string", "Name of the script.", { luaOnly: true }),
    value("arg: string[]", "Arguments of the run, also `...` of the script.", { luaOnly: true }),
    value("_TOOL_REGISTRY: {[string]: any}", "All tools by name: `{name, schema, handler, group?}`.", { luaOnly: true }),
  ],
  functions: [
    fn("~print(...values: any)", "Writes a line to standard output: the values with tabs between.", {
      params: { values: "Whatever `tostring` takes." }, example: `print("rows", 3)`, js: "",
    }),
    fn("~require(name: string) -> any, any?", "Loads a module: of the project, of `blocks/`, else a standard block.", {
      params: { name: "`a.b` is the file `a/b.lua` or `a/b/init.lua`." }, example: `local session = require("session")`, js: "",
    }),
  ],
});

/**
 * The libraries of Lua 5.4 that a script has, as its manual describes them; there is no `debug`, and no module
 * in C. `io` and `os` work on the host, under grants.
 */
export const LUA_LIBRARIES: Readonly<Record<string, string>> = {
  _G: "_G _VERSION assert collectgarbage dofile error getmetatable ipairs load loadfile next pairs pcall print rawequal rawget "
    + "rawlen rawset require select setmetatable tonumber tostring type warn xpcall",
  coroutine: "close create isyieldable resume running status wrap yield",
  io: "close flush input lines open output popen read stderr stdin stdout tmpfile type write",
  math: "abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min mininteger modf pi rad random randomseed "
    + "sin sqrt tan tointeger type ult",
  os: "clock date difftime execute exit getenv remove rename setlocale time tmpname",
  package: "config cpath loaded path preload searchers searchpath",
  string: "byte char dump find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper",
  table: "concat insert move pack remove sort unpack",
  utf8: "char charpattern codepoint codes len offset",
};

/** Where Lua's own functions do something else here. */
export const LUA_NOTES: Readonly<Record<string, string>> = {
  "coroutine.yield": "Outside of coroutines it gives way to other tasks; with a number it sleeps so many milliseconds.",
  "io.popen": "Runs like `sh.exec`: a process group of its own, ended with the run.",
  "os.execute": "Runs like `sh.exec`: a process group of its own, ended with the run.",
  "os.exit": "Ends the run in order, with that exit code.",
  "os.getenv": "The same as `std.env.get`.",
  "os.date": "All times are UTC.",
  "package.cpath": "Always empty.",
  "load": "In restricted mode it refuses bytecode.",
};
