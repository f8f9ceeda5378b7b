import assert from "node:assert/strict";
import { test } from "node:test";
import { isRestricting, parseGrants } from "../../src/grants/parse.ts";

function problem(text: string): string {
  const read = parseGrants([text]);
  assert.equal(read.ok, false, `${text} was taken`);
  return read.ok ? "" : read.problems.join("|");
}

const GOOD = [
  "net", "net:example.com", "net:*.example.com", "net:example.com:8443", "net:10.0.0.5:80", "net:10.0.0.0/8:443",
  "net:10.0.0.0/8", "net:[fd00::1]:80", "net:[fd00::]/8:80", "net:fd00::/8", "net:::1", "net:private", "net:private:22",
  "net:*:25", "net:bücher.example", "run", "run:git", "run:/usr/bin/git", "run:sh", "run:detach", "fs.read", "fs.read:.",
  "fs.read:/data", "fs.read:./src/**/*.ts", "fs.write:/tmp/out", "env", "env:HOME", "env:LC_*", "mcp", "mcp:files/*",
  "mcp:*/read", "mcp:files/!sampling", "mesh", "mesh:*", "mesh:abc", "secret:PET_TOKEN", "secret", "model",
];
for (const text of GOOD) {
  test(`the grant ${text} is read`, () => {
    const read = parseGrants([text]);
    assert.deepEqual(read.ok ? [] : read.problems, []);
  });
}

const BAD: readonly (readonly [string, RegExp])[] = [
  ["", /has the unknown verb ""; known are net, run, fs.read/],
  ["file:/x", /has the unknown verb "file"/],
  ["toString:x", /has the unknown verb "toString"/],
  ["net:", /has nothing after the colon; write net for everything/],
  ["net:https://example.com/", /is a URL; name only host and port/],
  ["net:example.com/path", /is not an address or a range/],
  ["net:ex*mple.com", /is not a host name/],
  ["net:*.*.com", /is not a host name/],
  ["net:user@example.com", /is not a host name/],
  ["net:example.com:0", /has port "0"; a port is a number from 1 to 65535/],
  ["net:example.com:70000", /has port "70000"/],
  ["net:example.com:http", /has port "http"/],
  ["net:0x7f.1", /is another spelling of 127.0.0.1; write that/],
  ["net:2130706433", /is another spelling of 127.0.0.1/],
  ["net:10.0.0.5/8", /has a prefix that is too long, or bits set beyond its prefix/],
  ["net:10.0.0.0/33", /has a prefix that is too long/],
  ["net:[10.0.0.5]:80x", /has port "80x"/],
  ["net:[zz]:80", /is not an address or a range/],
  ["run:git status", /holds a space; name one program, or grant run:sh/],
  ["run:./tool", /is a relative path/],
  ["fs.read:~/x", /begins with ~/],
  ["fs.read:**", /is a glob without a root/],
  ["fs.write:/a[b", /holds a \[ without its \]/],
  ["fs.read:/a\0b", /holds a NUL byte/],
  ["env:A=B", /is not a variable name/],
  ["env:*_KEY", /is not a variable name; `\*` may stand only at its end/],
  ["mcp:files", /is not <server>\/<tool>/],
  ["mcp:files/!roots", /withholds only !sampling or !elicitation/],
  ["mesh:a b", /is not an id/],
  ["secret:PET_*", /name each variable/],
  ["model:x", /takes no pattern/],
];
for (const [text, words] of BAD) {
  test(`the grant ${JSON.stringify(text)} is refused with its reason`, () => {
    assert.match(problem(text), words);
    assert.ok(problem(text).startsWith(`grant ${JSON.stringify(text)} `));
  });
}

test("all problems of a list are told at once, in order", () => {
  const read = parseGrants(["net:", "env:HOME", "what"]);
  assert.ok(!read.ok);
  assert.equal(read.problems.length, 2);
  assert.match(read.problems[0] ?? "", /^grant "net:"/);
  assert.match(read.problems[1] ?? "", /^grant "what"/);
});

test("a list restricts unless it holds secret grants only", () => {
  const of = (list: string[]): boolean => {
    const read = parseGrants(list);
    assert.ok(read.ok);
    return isRestricting(read.grants);
  };
  assert.equal(of(["secret:PET_TOKEN"]), false);
  assert.equal(of(["secret:PET_TOKEN", "env:HOME"]), true);
  assert.equal(of([]), false);
});
