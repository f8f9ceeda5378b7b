/** Grants from flags, files and variables (spec: block 3 and 8). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { place, type Place, runScript } from "../support/cli.ts";

const RUN = "local r = sh.exec('echo ran') print(r.ok, r.code == 'grant.denied' or r.stdout)";
const DENIED = "false\ttrue\n";
const RAN = "true\tran\n\n";

async function outcome(
  at: Place, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await runScript(at, RUN, args, { env });
  assert.equal(code, 0, stderr);
  return stdout;
}

test("`atoll run` defaults to all; --restricted, --grant, --grants and --allow-… each imply restricted",
  async (t) => {
  const at = place(t);
  at.file("grants.toml", "grants = ['net:example.com']\n");
  assert.equal(await outcome(at, []), RAN);
  for (const args of [["--restricted"], ["--grant", "net"], ["--grants", "grants.toml"], ["--allow-read"],
    ["--allow-net=example.com"]]) {
    assert.equal(await outcome(at, args), DENIED, args.join(" "));
  }
  assert.equal(await outcome(at, [], { AGENT_BLOCK_GRANTS: '["net"]' }), DENIED);
});

test("--grant is repeatable, and --allow-run[=LIST] grants each item", async (t) => {
  const at = place(t);
  assert.equal(await outcome(at, ["--grant", "net", "--grant", "run:sh"]), RAN);
  assert.equal(await outcome(at, ["--allow-run"]), RAN);
  assert.equal(await outcome(at, ["--allow-run=git,sh"]), RAN);
  assert.equal(await outcome(at, ["--allow-run=git"]), DENIED);
});

test("--allow-read, --allow-write, --allow-env and --allow-net take lists behind =", async (t) => {
  const at = place(t);
  at.file("data/a.txt", "a");
  const source = `
    print(pcall(std.fs.read, "data/a.txt"))
    print((pcall(std.fs.write, "out/b.txt", "b")))
    print(tostring(os.getenv("PET_NAME")), tostring(os.getenv("CAT_NAME")))
    print(select(2, pcall(http.request, "http://127.0.0.1:9/")).code)`;
  const { stdout, stderr } = await runScript(
    at, source, ["--allow-read=./data", "--allow-write=./out", "--allow-env=PET_*",
    "--allow-net=127.0.0.1:9"], {
    env: { PET_NAME: "Rex", CAT_NAME: "Tom" },
  });
  assert.equal(stdout, "true\ta\nfalse\nRex\tnil\nhttp.connect\n", stderr);
});

test("`--grant secret:…` alone restricts nothing: it lets children see that variable", async (t) => {
  const at = place(t);
  const source = "print(sh.exec('echo $PET_TOKEN/$CAT_TOKEN').stdout)";
  const env = { PET_TOKEN: "for-children", CAT_TOKEN: "hidden-from-them" };
  assert.equal((await runScript(at, source, [], { env })).stdout, "/\n\n");
  assert.equal((await runScript(at, source, ["--grant", "secret:PET_TOKEN"], { env })).stdout,
    "for-children/\n\n");
  assert.equal((await runScript(at, source, ["--grant", "secret"], { env })).stdout,
    "for-children/hidden-from-them\n\n");
  const restricted = await runScript(at, source, ["--grant", "secret:PET_TOKEN", "--allow-run"], { env });
  assert.equal(restricted.stdout, "for-children/\n\n");
});

test("a list is one TOML or JSON array, the same in files and in the variable; --grants wins over the variable", async (t) => {
  const at = place(t);
  for (const [name, text] of [
    ["a.toml", "# what it may do\ngrants = [\n  'net', # the web\n  \"run:sh\",\n]\n"],
    ["b.json", '["net", "run:sh"]'],
    ["c.toml", "# alone\n[\n  'run:sh', # as TOML\n]\n"], ["d.json", '{"grants": ["run:sh"]}'],
  ] as const) {
    at.file(name, text);
    assert.equal(await outcome(at, ["--grants", name]), RAN, name);
    assert.equal(await outcome(at, [], { ATOLL_GRANTS: name }), RAN, name);
  }
  assert.equal(await outcome(at, [], { ATOLL_GRANTS: "['run:sh']" }), RAN);
  assert.equal(await outcome(at, [], { ATOLL_GRANTS: "[]" }), DENIED);
  assert.equal(await outcome(at, ["--grants", "b.json"], { ATOLL_GRANTS: "[]" }), RAN);
});

test("a wrong grant is refused with its place, all at once, exit 2", async (t) => {
  const at = place(t);
  at.file("bad.toml", "grants = [\n  'net:example.com',\n  'fly:moon',\n  'run:',\n]\n");
  const { code, stdout, stderr } = await runScript(at, RUN, ["--grants", "bad.toml", "--grant", "swim"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /config error: 3 problems/);
  assert.match(stderr, /bad\.toml:3: --grants: grant "fly:moon" has the unknown verb "fly"/);
  assert.match(stderr, /bad\.toml:4: --grants: grant "run:" has nothing after the colon/);
  assert.match(stderr, /^ {2}--grant: grant "swim" has the unknown verb "swim"/m);
});

test("a grants file that cannot be read or understood is refused with its place, exit 2", async (t) => {
  const at = place(t);
  at.file("broken.toml", "grants = [\n  'net'\n  'run'\n]\n");
  at.file("other.toml", "grant = ['net']\n");
  at.file("numbers.json", "[1, \"net\"]");
  for (const [name, problem] of [
    ["gone.toml", /--grants: cannot read 'gone\.toml': No such file or directory/],
    ["broken.toml", /broken\.toml:\d: --grants: neither TOML nor JSON: /],
    ["other.toml", /other\.toml:1: --grants: "grant" is not a key of a grants file/],
    ["numbers.json", /numbers\.json: --grants: 1 is not text/],
  ] as const) {
    const { code, stdout, stderr } = await runScript(at, RUN, ["--grants", name]);
    assert.deepEqual([code, stdout], [2, ""], name);
    assert.match(stderr, problem);
  }
});
