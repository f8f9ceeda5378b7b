/** `std.json`, `std.string`, `std.path`, `std.validate`: work on values. */
import { apiModule, fn, shape } from "../declare.ts";

const JSON_ERRORS = "json.encode json.depth";

export const json = apiModule("std.json", "JSON texts.", {
  functions: [
    fn("std.json.encode(v: any) -> string", "A value as JSON, its keys sorted.", {
      params: { v: "Plain data." }, errors: JSON_ERRORS, example: `print(std.json.encode({a = 1, list = {1, 2}}))`,
    }),
    fn("std.json.encode_pretty(v: any) -> string", "The same over several lines, indented by two.", {
      params: { v: "Plain data." }, errors: JSON_ERRORS, example: `print(std.json.encode_pretty({a = 1}))`,
    }),
    fn("std.json.decode(s: string) -> any", "The value of a JSON text; null is nil.", {
      params: { s: "JSON." }, errors: "json.decode json.depth", example: `local data = std.json.decode('{"a": [1, 2]}')`,
    }),
    fn("~std.json.read_file(path: string) -> any", "The value in a JSON file.", {
      params: { path: "File." }, errors: "json.decode json.depth fs.not_found fs.denied fs.failed",
      before: `std.fs.write("data.json", "{\\"a\\": 1}")`, example: `local data = std.json.read_file("data.json")`,
    }),
    fn("~std.json.write_file(path: string, v: any) -> boolean", "Writes a value as an indented JSON file.", {
      params: { path: "File.", v: "Plain data." }, errors: `${JSON_ERRORS} fs.denied fs.failed`,
      example: `std.json.write_file("data.json", {a = 1})`,
    }),
    fn("std.json.array(t: table?) -> table", "Marks a table as a list, so that an empty one is `[]`.", {
      params: { t: "Default a new table." }, example: `print(std.json.encode({list = std.json.array()}))`, js: "",
    }),
  ],
});

const S = { s: "Text." };

export const string = apiModule("std.string", "Text, counted in characters (code points).", {
  functions: [
    one("trim", "Without the blanks around it.", `("  hi  ")`),
    one("trim_start", "Without the blanks before it.", `("  hi")`),
    one("trim_end", "Without the blanks behind it.", `("hi  ")`),
    fn("std.string.split(s: string, sep: string) -> string[]", "The parts between separators.", {
      params: { ...S, sep: "Separator, not empty." }, example: `local parts = std.string.split("a,b", ",")`,
    }),
    test("starts_with", "start", "Does it begin so?", `("atoll", "at")`),
    test("ends_with", "end", "Does it end so?", `("atoll", "ll")`),
    test("contains", "part", "Is that in it?", `("atoll", "tol")`),
    replace("replace", "With the first match replaced.", `("a-b-c", "-", "+")`),
    replace("replace_all", "With every match replaced.", `("a-b-c", "-", "+")`),
    pad("pad_start", "Filled up in front.", `("7", 3, "0")`),
    pad("pad_end", "Filled up at the end.", `("ab", 4)`),
    fn("std.string.truncate(s: string, n: integer, suffix: string?) -> string", "At most so many characters.", {
      params: { ...S, n: "Characters at most, suffix included.", suffix: "Put at the end of what was cut." },
      example: `print(std.string.truncate("a long story", 6, "…"))`,
    }),
    one("upper", "In capitals.", `("straße")`),
    one("lower", "In small letters.", `("ATOLL")`),
    fn("std.string.chars(s: string) -> string[]", "Its characters.", {
      params: S, example: `for _, c in ipairs(std.string.chars("añb")) do print(c) end`,
    }),
    fn("std.string.char_count(s: string) -> integer", "How many characters it has.", {
      params: S, example: `print(std.string.char_count("añb"))`,
    }),
    one("reverse", "From back to front.", `("abc")`),
  ],
});

function one(name: string, doc: string, args: string): ReturnType<typeof fn> {
  return fn(`std.string.${name}(s: string) -> string`, doc, { params: S, example: `print(std.string.${name}${args})` });
}

function test(name: string, other: string, doc: string, args: string): ReturnType<typeof fn> {
  return fn(`std.string.${name}(s: string, ${other}: string) -> boolean`, doc, {
    params: { ...S, [other]: "What to look for, as it is." }, example: `print(std.string.${name}${args})`,
  });
}

function replace(name: string, doc: string, args: string): ReturnType<typeof fn> {
  return fn(`std.string.${name}(s: string, from: string, to: string) -> string`, doc, {
    params: { ...S, from: "What to look for, as it is.", to: "What comes in its place, as it is." },
    example: `print(std.string.${name}${args})`,
  });
}

function pad(name: string, doc: string, args: string): ReturnType<typeof fn> {
  return fn(`std.string.${name}(s: string, w: integer, fill: string?) -> string`, doc, {
    params: { ...S, w: "Characters it should have.", fill: "One character; default a space." },
    example: `print(std.string.${name}${args})`,
  });
}

const P = { p: "Path." };

export const path = apiModule("std.path", "Paths as text; only `absolute` looks at the disk.", {
  functions: [
    fn("std.path.join(...parts: string) -> string", "Parts with `/` between; an absolute part begins anew.", {
      params: { parts: "Texts." }, example: `print(std.path.join("a", "b.txt"))`,
    }),
    part("parent", "The path without its last part, or nil."),
    part("filename", "The last part, or nil."),
    part("stem", "The last part without its extension, or nil."),
    part("ext", "The extension without its dot, or nil."),
    fn("~std.path.absolute(path: string) -> string", "The real path of what exists, links resolved.", {
      params: { path: "Path." }, errors: "fs.not_found fs.denied fs.failed", host: true,
      example: `print(std.path.absolute("."))`,
    }),
    fn("std.path.is_absolute(p: string) -> boolean", "Does it begin at the root?", {
      params: P, example: `print(std.path.is_absolute("/tmp"))`,
    }),
  ],
});

function part(name: string, doc: string): ReturnType<typeof fn> {
  return fn(`std.path.${name}(p: string) -> string?`, doc, {
    params: P, example: `print(std.path.${name}("/a/b.txt"))`,
  });
}

export const validate = apiModule("std.validate", "Tables against schemas.", {
  functions: [
    fn("std.validate.check(data: table, schema: {[string]: string | FieldRule}) -> boolean, string[]?",
      "True, or false and a message for each problem, sorted by key.", {
        params: { data: "What to check.", schema: "For each key a type name or a rule." },
        example: `local ok, problems = std.validate.check({age = -1}, {age = {type = "number", min = 0}})`,
      }),
  ],
  shapes: [
    shape("FieldRule", "What a field must be.", {
      'type: ("string" | "number" | "integer" | "boolean" | "table" | "function" | "any")?': "Its type.",
      "required: boolean?": "It must be there.",
      "min: number?": "Least number.", "max: number?": "Greatest number.",
      "min_len: integer?": "Least length.", "max_len: integer?": "Greatest length.",
      "one_of: any[]?": "All it may be.",
    }),
  ],
});
