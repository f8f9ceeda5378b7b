/** Each row: the grants, a URL, an address its name resolves to (none for a literal), and the refusal or undefined. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BlockError } from "../../src/errors.ts";
import { gateOf } from "../ops.ts";

type Row = readonly [grants: readonly string[], url: string, resolved: string | undefined, denial: string | undefined];

const PUBLIC = "93.184.216.34";
/** A granted name; its address follows. */
const NAMED = [["net:example.com"], "http://example.com/"] as const;
const needs = (object: string, reason: string): string =>
  `denied: net connect to ${object} (${reason}); needs grant net:${object}`;
const noScheme = (object: string): string =>
  `denied: net connect to ${object} (neither http nor https); no grant allows it`;

const ROWS: readonly Row[] = [
  // Names.
  [["net:example.com"], "https://example.com/x", PUBLIC, undefined],
  [["net:example.com"], "https://EXAMPLE.com./x", PUBLIC, undefined],
  [["net:example.com"], "http://example.com:8080/", PUBLIC, undefined],
  [["net:example.com"], "https://www.example.com/", undefined, needs("www.example.com:443", "host not granted")],
  [["net:example.com"], "https://notexample.com/", undefined, needs("notexample.com:443", "host not granted")],
  [["net:example.com"], "https://example.com.evil.org/", undefined, needs("example.com.evil.org:443", "host not granted")],
  [["net:example.com"], "https://example.com@evil.org/", undefined, needs("evil.org:443", "host not granted")],
  [["net:example.com"], "https://evil.org/?example.com", undefined, needs("evil.org:443", "host not granted")],
  [["net:example.com"], "https://evil.org\\@example.com/", undefined, needs("evil.org:443", "host not granted")],
  [["net:*.example.com"], "https://a.b.example.com/", PUBLIC, undefined],
  [["net:*.example.com"], "https://example.com/", undefined, needs("example.com:443", "host not granted")],
  [["net:*.example.com"], "https://evilexample.com/", undefined, needs("evilexample.com:443", "host not granted")],
  [["net:bücher.example"], "https://xn--bcher-kva.example/", PUBLIC, undefined],
  [["net"], "https://anything.example/", PUBLIC, undefined],
  [[], "https://anything.example/", undefined, needs("anything.example:443", "host not granted")],
  [["fs.read"], "https://anything.example/", undefined, needs("anything.example:443", "host not granted")],
  // Ports.
  [["net:example.com:8443"], "https://example.com:8443/", PUBLIC, undefined],
  [["net:example.com:8443"], "https://example.com/", undefined, needs("example.com:443", "port not granted")],
  [["net:example.com"], "http://example.com:22/", undefined, needs("example.com:22", "a port below 1024 must be named")],
  [["net:example.com:22"], "http://example.com:22/", PUBLIC, undefined],
  [["net"], "http://example.com:25/", undefined, needs("example.com:25", "a port below 1024 must be named")],
  [["net:*:25"], "http://example.com:25/", PUBLIC, undefined],
  // Granted names that lead inside.
  [...NAMED, "127.0.0.1", needs("127.0.0.1:80", "loopback address")],
  [...NAMED, "10.0.0.5", needs("10.0.0.5:80", "private address")],
  [...NAMED, "172.31.255.255", needs("172.31.255.255:80", "private address")],
  [...NAMED, "192.168.1.1", needs("192.168.1.1:80", "private address")],
  [...NAMED, "100.64.0.1", needs("100.64.0.1:80", "shared address")],
  [...NAMED, "169.254.1.1", needs("169.254.1.1:80", "link-local address")],
  [...NAMED, "169.254.169.254", needs("169.254.169.254:80", "metadata address")],
  [...NAMED, "100.100.100.200", needs("100.100.100.200:80", "metadata address")],
  [...NAMED, "fd00:ec2::254", needs("[fd00:ec2::254]:80", "metadata address")],
  [...NAMED, "0.0.0.0", needs("0.0.0.0:80", "unspecified address")],
  [...NAMED, "0.1.2.3", needs("0.1.2.3:80", "unspecified address")],
  [...NAMED, "224.0.0.1", needs("224.0.0.1:80", "multicast address")],
  [...NAMED, "255.255.255.255", needs("255.255.255.255:80", "reserved address")],
  [...NAMED, "192.0.2.1", needs("192.0.2.1:80", "reserved address")],
  [...NAMED, "198.18.0.1", needs("198.18.0.1:80", "reserved address")],
  [...NAMED, "::1", needs("[::1]:80", "loopback address")],
  [...NAMED, "::", needs("[::]:80", "unspecified address")],
  [...NAMED, "fe80::1%eth0", needs("[fe80::1]:80", "link-local address")],
  [...NAMED, "fc00::1", needs("[fc00::1]:80", "private address")],
  [...NAMED, "fec0::1", needs("[fec0::1]:80", "reserved address")],
  [...NAMED, "ff02::1", needs("[ff02::1]:80", "multicast address")],
  [...NAMED, "::ffff:10.0.0.5", needs("[::ffff:a00:5]:80", "IPv4 inside IPv6")],
  [...NAMED, "::127.0.0.1", needs("[::7f00:1]:80", "IPv4 inside IPv6")],
  [...NAMED, "2002:7f00:1::", needs("[2002:7f00:1::]:80", "IPv4 inside IPv6")],
  [...NAMED, "64:ff9b::a00:5", needs("[64:ff9b::a00:5]:80", "IPv4 inside IPv6")],
  [...NAMED, "64:ff9b:1::1", needs("[64:ff9b:1::1]:80", "IPv4 inside IPv6")],
  [...NAMED, "2001::1", needs("[2001::1]:80", "IPv4 inside IPv6")],
  [...NAMED, "::ffff:0:7f00:1", needs("[::ffff:0:7f00:1]:80", "IPv4 inside IPv6")],
  [...NAMED, "2606:4700::5efe:7f00:1", needs("[2606:4700::5efe:7f00:1]:80", "IPv4 inside IPv6")],
  [...NAMED, "2001:db8::1", needs("[2001:db8::1]:80", "reserved address")],
  [...NAMED, "2606:4700::1111", undefined],
  // Literals, in every spelling a URL allows.
  [["net"], "http://127.0.0.1/", undefined, needs("127.0.0.1:80", "loopback address")],
  [["net"], "http://2130706433/", undefined, needs("127.0.0.1:80", "loopback address")],
  [["net"], "http://0x7f.1/", undefined, needs("127.0.0.1:80", "loopback address")],
  [["net"], "http://017700000001/", undefined, needs("127.0.0.1:80", "loopback address")],
  [["net"], "http://127.1/", undefined, needs("127.0.0.1:80", "loopback address")],
  [["net"], "http://①②⑦.⓪.⓪.①/", undefined, needs("127.0.0.1:80", "loopback address")],
  [["net"], "http://[::ffff:127.0.0.1]/", undefined, needs("[::ffff:7f00:1]:80", "IPv4 inside IPv6")],
  [["net"], "http://[::1]:3000/", undefined, needs("[::1]:3000", "loopback address")],
  [["net"], "http://169.254.169.254/latest/meta-data/", undefined, needs("169.254.169.254:80", "metadata address")],
  [["net"], `http://${PUBLIC}/`, undefined, undefined],
  [["net:example.com"], `http://${PUBLIC}/`, undefined, needs(`${PUBLIC}:80`, "address not granted")],
  // Address grants.
  [["net:10.0.0.5:80"], "http://10.0.0.5/", undefined, undefined],
  [["net:10.0.0.5:80"], "http://10.0.0.5:8080/", undefined, needs("10.0.0.5:8080", "private address")],
  [["net:10.0.0.5:80"], "http://10.0.0.6/", undefined, needs("10.0.0.6:80", "private address")],
  [["net:10.0.0.0/8:80"], "http://10.9.8.7/", undefined, undefined],
  [["net:10.0.0.0/8:80"], "http://11.0.0.1/", undefined, needs("11.0.0.1:80", "address not granted")],
  [["net:10.0.0.0/8"], "http://10.0.0.5:22/", undefined, needs("10.0.0.5:22", "private address")],
  [["net:10.0.0.0/8"], "http://[::ffff:10.0.0.5]/", undefined, needs("[::ffff:a00:5]:80", "IPv4 inside IPv6")],
  [["net:[fd00::]/8:80"], "http://[fd12::1]/", undefined, undefined],
  [["net:10.0.0.0/8", "net:intern.example"], "http://intern.example/", "10.0.0.5", undefined],
  [["net:10.0.0.0/8"], "http://intern.example/", undefined, needs("intern.example:80", "host not granted")],
  [["net:private"], "http://192.168.1.1/", undefined, undefined],
  [["net:private"], "http://localhost:3000/", "127.0.0.1", undefined],
  [["net:127.0.0.1:3000"], "http://localhost:3000/", "127.0.0.1", undefined],
  [["net:127.0.0.1:3000"], "http://localhost:3000/", "::1", needs("[::1]:3000", "loopback address")],
  [["net:localhost:3000"], "http://localhost:3000/", "127.0.0.1", needs("127.0.0.1:3000", "loopback address")],
  [["net:private"], "http://example.com/", undefined, needs("example.com:80", "host not granted")],
  [["net:private"], `http://${PUBLIC}/`, undefined, needs(`${PUBLIC}:80`, "address not granted")],
  // Schemes.
  [["net"], "ftp://example.com/", undefined, noScheme("ftp://example.com")],
  [["net"], "file:///etc/passwd", undefined, noScheme("file://")],
];

ROWS.forEach(([grants, url, resolved, denial], index) => {
  const title = `${index + 1}: with [${grants.join(", ")}] ${url}${resolved === undefined ? "" : ` at ${resolved}`} is `
    + (denial === undefined ? "reached" : "denied");
  test(title, () => {
    const gate = gateOf(grants, "/");
    const target = new URL(url);
    const port = Number(target.port) || (target.protocol === "https:" ? 443 : 80);
    const act = (): void => {
      const rule = gate.url(target);
      if (resolved !== undefined) rule.address(resolved, port);
    };
    if (denial === undefined) return act();
    assert.throws(act, (error: BlockError) => {
      assert.equal(error.message, denial);
      assert.equal(error.code, "grant.denied");
      assert.equal(error.retry, "never");
      return true;
    });
    assert.equal(gate.denials.length, 1);
  });
});

test("a refusal has verb, object, reason and grant as facts, and is told once", () => {
  const gate = gateOf(["net:example.com"], "/");
  assert.throws(() => gate.url(new URL("http://example.com/")).address("10.0.0.5", 80), (error: BlockError) => {
    assert.deepEqual(error.facts, { verb: "net", object: "10.0.0.5:80", reason: "private address", grant: "net:10.0.0.5:80" });
    return true;
  });
  assert.deepEqual(gate.denials, [{ verb: "net", object: "10.0.0.5:80", reason: "private address", grant: "net:10.0.0.5:80" }]);
});

test("the address of a rule counts for its own port only", () => {
  const rule = gateOf(["net:example.com"], "/").url(new URL("http://example.com/"));
  assert.throws(() => rule.address(PUBLIC, 8080), { code: "grant.denied" });
});
