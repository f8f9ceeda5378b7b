/** `std.env`, `std.time`, `std.fs`: the machine. */
import { apiModule, fn, shape } from "../declare.ts";

export const env = apiModule("std.env", "Environment of the block.", {
  functions: [
    fn("~std.env.get(key: string) -> string?", "A variable, or nil; nil too when no grant covers it.", {
      params: { key: "Name." }, host: true, example: `print(std.env.get("PATH"))`,
    }),
    fn("~std.env.get_or(key: string, default: any) -> any", "A variable, or the default.", {
      params: { key: "Name.", default: "What is given when it is not there." }, host: true,
      example: `print(std.env.get_or("EDITOR", "vi"))`,
    }),
    fn("~std.env.set(key: string, value: string)", "Sets a variable for both isles and for children.", {
      params: { key: "Name.", value: "Text." }, host: true, example: `std.env.set("STAGE", "test")`,
    }),
    fn("~std.env.home() -> string?", "The home folder, or nil.", {
      host: true, example: `print(std.env.home())`,
    }),
    fn("std.env.agent_id() -> string", "The address of this agent; empty when it has none.", {
      example: `print(std.env.agent_id())`,
    }),
    fn("std.env.project_root() -> string", "The absolute path of the project.", {
      example: `print(std.env.project_root())`,
    }),
  ],
});

export const time = apiModule("std.time", "Clocks.", {
  functions: [
    fn("std.time.now() -> number", "Seconds since 1970, with fractions.", { example: `print(std.time.now())` }),
    fn("std.time.millis() -> integer", "Milliseconds since 1970.", { example: `print(std.time.millis())` }),
    fn("std.time.measure(fn: fn() -> ...any) -> number, ...any", "Calls a function: seconds it took, and its results.", {
      params: { fn: "Called without arguments." },
      example: `local seconds, sum = std.time.measure(function() return 1 + 1 end)`,
      js: "measure<T>(fn: () => T | Promise<T>): Promise<[seconds: number, result: T]>",
    }),
    fn("~std.time.sleep(seconds: number)", "Waits; other tasks go on meanwhile.", {
      params: { seconds: "At most 86,400." }, example: `std.time.sleep(0.01)`,
    }),
  ],
});

const FILE = "File; relative paths begin at the project.";
const READ = "fs.not_found fs.denied fs.failed";
const WRITE = "fs.not_found fs.denied fs.failed";
const NOTE = `std.fs.write("note.txt", "hello")`;

export const fs = apiModule("std.fs", "Files and folders.", {
  functions: [
    fn("~std.fs.read(path: string) -> string", "What is in a file.", {
      params: { path: FILE }, errors: `${READ} isle.memory`, host: true, before: NOTE, example: `local text = std.fs.read("note.txt")`,
    }),
    fn("~std.fs.read_binary(path: string) -> string", "The same: strings hold any bytes.", {
      params: { path: FILE }, errors: `${READ} isle.memory`, host: true, before: NOTE,
      example: `local bytes = std.fs.read_binary("note.txt")`,
      js: "readBinary(path: string): Promise<Uint8Array>",
    }),
    write("write", "Writes a file anew."),
    write("write_binary", "The same: strings hold any bytes."),
    write("append", "Writes to the end of a file."),
    fn("~std.fs.copy(from: string, to: string) -> boolean", "Copies a file.", {
      params: { from: FILE, to: FILE }, errors: WRITE, host: true, before: NOTE,
      example: `std.fs.copy("note.txt", "copy.txt")`,
    }),
    fn("~std.fs.rename(from: string, to: string) -> boolean", "Renames a file or folder.", {
      params: { from: FILE, to: FILE }, errors: WRITE, host: true, before: NOTE,
      example: `std.fs.rename("note.txt", "old.txt")`,
    }),
    test("exists", "Is it there?"),
    test("is_dir", "Is it a folder?"),
    test("is_file", "Is it a file?"),
    fn("~std.fs.mkdir(path: string) -> boolean", "Makes a folder and those above it.", {
      params: { path: "Folder." }, errors: WRITE, host: true, example: `std.fs.mkdir("out/logs")`,
    }),
    fn("~std.fs.remove(path: string) -> boolean", "Removes a file, or a folder with all that is in it.", {
      params: { path: "File or folder." }, errors: WRITE, host: true, before: NOTE, example: `std.fs.remove("note.txt")`,
    }),
    fn("~std.fs.walk(path: string) -> string[]", "All files below a folder: 256 deep, 10,000 entries at most.", {
      params: { path: "Folder." }, errors: `${READ} fs.limit`, host: true, before: NOTE,
      example: `for _, file in ipairs(std.fs.walk(".")) do print(file) end`,
    }),
    fn("~std.fs.glob(path: string) -> string[]", "Paths that fit a pattern; `*` stops at `/`.", {
      params: { path: "Pattern." }, errors: `${READ} fs.limit`, host: true, before: NOTE,
      example: `for _, file in ipairs(std.fs.glob("*.txt")) do print(file) end`,
    }),
    fn("~std.fs.list(path: string) -> FileEntry[]", "What is in one folder, sorted by name.", {
      params: { path: "Folder." }, errors: READ, host: true, before: NOTE,
      example: `for _, entry in ipairs(std.fs.list(".")) do print(entry.name, entry.type) end`,
    }),
    fn("~std.fs.stat(path: string) -> FileStat", "What the system knows of a file or folder; links are followed.", {
      params: { path: "Path." }, errors: READ, host: true, before: NOTE, example: `local stat = std.fs.stat("note.txt")`,
    }),
    fn("~std.fs.metadata(path: string) -> FileMetadata", "Size, time and kind of a file or folder.", {
      params: { path: "Path." }, errors: READ, host: true, before: NOTE, example: `print(std.fs.metadata("note.txt").size)`,
    }),
  ],
  shapes: [
    shape("FileEntry", "An entry of a folder.", {
      "name: string": "Name without the folder.", "type: string": "`file`, `dir`, `symlink` or `other`.", "size: integer": "Bytes.",
    }),
    shape("FileStat", "Of a file or folder.", {
      "type: string": "`file`, `dir`, `symlink` or `other`.", "size: integer": "Bytes.",
      "modified: number": "Seconds since 1970.", "created: number": "Seconds since 1970.",
      "mode: integer": "Permission bits.",
    }),
    shape("FileMetadata", "Of a file or folder.", {
      "size: integer": "Bytes.", "modified: number": "Seconds since 1970.",
      "is_dir: boolean": "It is a folder.", "is_file: boolean": "It is a file.",
    }),
  ],
});

function write(name: string, doc: string): ReturnType<typeof fn> {
  return fn(`~std.fs.${name}(path: string, data: string) -> boolean`, doc, {
    params: { path: FILE, data: "Bytes." }, errors: WRITE, host: true,
    example: `std.fs.${name}("note.txt", "hello")`,
    ...(name === "write" ? {} : { js: `${camel(name)}(path: string, data: string | Uint8Array): Promise<boolean>` }),
  });
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());
}

function test(name: string, doc: string): ReturnType<typeof fn> {
  return fn(`~std.fs.${name}(path: string) -> boolean`, doc, {
    params: { path: "Path." }, errors: "fs.denied", host: true, example: `print(std.fs.${name}("note.txt"))`,
  });
}
