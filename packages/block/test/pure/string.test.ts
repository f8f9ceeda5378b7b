import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../../src/bridges/op.ts";
import { pureArgs, pureFns } from "../../src/pure/fns.ts";

function call(name: string, ...args: Value[]): Value {
  return pureFns[`std.string.${name}`]?.(args) as Value;
}

const bytes = (...list: (number | string)[]): Uint8Array =>
  Uint8Array.from(Buffer.concat(list.map((part) => typeof part === "string" ? Buffer.from(part) : Buffer.of(part))));

const ROWS: readonly (readonly [title: string, name: string, args: readonly Value[], result: Value])[] = [
  ["trim removes blanks on both sides", "trim", [" \t a b \r\n"], "a b"],
  ["trim knows the blanks of Unicode", "trim", ["\u0085\u00a0\u3000a\u2003\u2028"], "a"],
  ["trim leaves a byte order mark", "trim", ["\ufeffa"], "\ufeffa"],
  ["trim of nothing but blanks is empty", "trim", ["  \n"], ""],
  ["trim_start removes blanks in front", "trim_start", ["  a "], "a "],
  ["trim_end removes blanks behind", "trim_end", [" a  "], " a"],
  ["split gives every piece, the empty ones too", "split", [",a,,b,", ","], ["", "a", "", "b", ""]],
  ["split of an empty text is one empty piece", "split", ["", ","], [""]],
  ["split takes its separator literally", "split", ["a.b%c", "."], ["a", "b%c"]],
  ["split takes separators of several characters", "split", ["a::b:c", "::"], ["a", "b:c"]],
  ["starts_with is true for its start", "starts_with", ["äb", "ä"], true],
  ["starts_with is false for another text", "starts_with", ["ab", "b"], false],
  ["ends_with is true for its end", "ends_with", ["ab", "b"], true],
  ["contains is literal", "contains", ["a.c", "."], true],
  ["contains finds the empty text", "contains", ["", ""], true],
  ["replace changes the first place only", "replace", ["a-a-a", "a", "b"], "b-a-a"],
  ["replace takes its new text literally", "replace", ["abc", "b", "$&%1"], "a$&%1c"],
  ["replace of what is not there changes nothing", "replace", ["abc", "x", "y"], "abc"],
  ["replace of the empty text puts in front", "replace", ["abc", "", "x"], "xabc"],
  ["replace_all changes every place", "replace_all", ["aaaa", "aa", "b"], "bb"],
  ["replace_all of the empty text goes between characters", "replace_all", ["a😀", "", "-"], "-a-😀-"],
  ["pad_start fills with spaces", "pad_start", ["7", 3], "  7"],
  ["pad_start fills with the given character", "pad_start", ["é", 3, "😀"], "😀😀é"],
  ["pad_start leaves what is wide enough", "pad_start", ["abcd", 3, "0"], "abcd"],
  ["pad_start takes a negative width for none", "pad_start", ["a", -5], "a"],
  ["pad_end fills behind", "pad_end", ["ab", 4, "."], "ab.."],
  ["truncate leaves what is short enough", "truncate", ["häß", 3, "…"], "häß"],
  ["truncate counts the suffix", "truncate", ["hello world", 8, "..."], "hello..."],
  ["truncate needs no suffix", "truncate", ["😀😀😀", 2], "😀😀"],
  ["truncate cuts a suffix that is too long", "truncate", ["abcdef", 2, "..."], ".."],
  ["truncate to nothing is empty", "truncate", ["abc", 0, "..."], ""],
  ["upper maps as Unicode says", "upper", ["straße"], "STRASSE"],
  ["lower maps as Unicode says", "lower", ["ÀΣ"], "àς"],
  ["chars lists characters, not bytes", "chars", ["aé😀"], ["a", "é", "😀"]],
  ["chars of an empty text is empty", "chars", [""], []],
  ["char_count counts code points", "char_count", ["aé😀"], 3],
  ["reverse turns code points round", "reverse", ["aé😀"], "😀éa"],
  ["char_count counts a byte that is no character as one", "char_count", [bytes("é", 0xff, "a")], 3],
  ["chars gives such a byte as bytes", "chars", [bytes("é", 0xff)], ["é", bytes(0xff)]],
  ["truncate cuts between characters beside such a byte", "truncate", [bytes(0xff, "éa"), 2], bytes(0xff, "é")],
  ["what is left is a string when it is UTF-8", "truncate", [bytes("éa", 0xff), 2], "éa"],
  ["reverse of bytes can be text", "reverse", [bytes(0xa9, 0xc3)], "é"],
  ["trim keeps bytes inside", "trim", [bytes(" ", 0xe4, 0x20, 0xff, " ")], bytes(0xe4, 0x20, 0xff)],
  ["split finds text among bytes", "split", [bytes("a,", 0xff, ",b"), ","], ["a", bytes(0xff), "b"]],
  ["split finds a byte among text", "split", [bytes("a", 0xff, "é"), bytes(0xff)], ["a", "é"]],
  ["replace_all with a byte makes bytes", "replace_all", ["a-b", "-", bytes(0xfe)], bytes("a", 0xfe, "b")],
  ["starts_with compares bytes", "starts_with", ["é", bytes(0xc3)], true],
  ["contains finds no byte in half a JavaScript pair", "contains", ["\u{1f480}", bytes(0x80, 0x80)], false],
  ["an overlong form is two bytes", "char_count", [bytes(0xc0, 0x80)], 2],
  ["an encoded surrogate is three bytes", "char_count", [bytes(0xed, 0xa0, 0x80)], 3],
  ["beyond U+10FFFF are four bytes", "char_count", [bytes(0xf4, 0x90, 0x80, 0x80)], 4],
  ["a number stands for its digits", "pad_start", [7, 3, 0], "007"],
];

for (const [title, name, args, result] of ROWS) {
  test(`std.string: ${title}`, () => assert.deepEqual(call(name, ...args), result));
}

test("std.string.split: separator must not be empty", () => {
  const refused = { message: "string.split: separator must not be empty", code: "script.argument" };
  assert.throws(() => call("split", "a", ""), refused);
});

for (const fill of ["", "ab"]) {
  for (const name of ["pad_start", "pad_end"]) {
    test(`std.string.${name}: fill ${JSON.stringify(fill)} must be a single character`, () => {
      assert.throws(() => call(name, "a", 3, fill), { message: "fill must be a single character" });
    });
  }
}

test("a text that no isle could hold ends with not enough memory before it is built", () => {
  for (const [name, ...args] of [["pad_start", "", 2 ** 40], ["replace_all", "a".repeat(1e6), "a", "b".repeat(1e6)],
    ["pad_end", "", 2n ** 60n]] as const) {
    assert.throws(() => call(name, ...args), { message: "not enough memory", code: "isle.memory" });
  }
});

test("every pure function declares its arguments", () => {
  assert.deepEqual(pureArgs["std.string.pad_end"], ["s:string", "w:integer", "fill:string?"]);
  for (const args of Object.values(pureArgs)) {
    for (const arg of args) assert.match(arg, /^[a-z_]+:(string|integer|any)(\?|\.\.\.)?$/);
  }
});

const utf8 = fc.string({ unit: "binary" }).filter((text) => text.isWellFormed());
const anyText = fc.oneof(utf8, fc.uint8Array({ maxLength: 40 }));
const asBytes = (value: Value): Buffer => Buffer.from(value as string);

test("the characters of any bytes, put together again, are the same bytes", () => {
  fc.assert(fc.property(anyText, (text) => {
    const chars = call("chars", text) as readonly Value[];
    assert.deepEqual(Buffer.concat(chars.map(asBytes)), asBytes(text));
    assert.equal(call("char_count", text), chars.length);
  }));
});

test("reversing twice gives the same characters when the text is UTF-8", () => {
  fc.assert(fc.property(utf8, (text) => {
    assert.equal(call("reverse", call("reverse", text)), text);
  }));
});

test("pieces of a split, joined by the separator, are the same bytes", () => {
  fc.assert(fc.property(anyText, fc.constantFrom<Value>("a", "é", " ", Uint8Array.of(0x80)), (text, sep) => {
    const pieces = (call("split", text, sep) as readonly Value[]).map(asBytes);
    const joined = pieces.flatMap((piece, index) => index === 0 ? [piece] : [asBytes(sep), piece]);
    assert.deepEqual(Buffer.concat(joined), asBytes(text));
  }));
});
