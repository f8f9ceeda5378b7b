/**
 * Restricted mode: nothing outside the granted folder is read, changed, made or removed, whatever stands in
 * the way. Method: a secret and a full folder outside; each op is tried through each kind of way out, then
 * the outside is compared.
 */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { seededIds } from "@atoll-run/testkit";
import { fsOps } from "../../src/bridges/fs.ts";
import { Handles } from "../../src/bridges/handles.ts";
import type { Ops, Value } from "../../src/bridges/op.ts";
import { openGranted } from "../../src/grants/held.ts";
import { clock, folder, gateOf, run } from "../ops.ts";

interface Cage {
  readonly root: string;
  readonly ops: Ops;
}

/**
 * root/in is granted: link -> outside, leak -> outside/secret, dangling -> outside/new. root/outside is not.
 */
async function cage(t: TestContext): Promise<Cage> {
  const root = await folder(t);
  await mkdir(join(root, "in/real"), { recursive: true });
  await mkdir(join(root, "outside/full"), { recursive: true });
  await writeFile(join(root, "outside/secret"), "secret");
  await writeFile(join(root, "outside/full/f"), "kept");
  await writeFile(join(root, "in/mine"), "mine");
  await symlink("../outside", join(root, "in/link"));
  await symlink("../outside/secret", join(root, "in/leak"));
  await symlink("../outside/new", join(root, "in/dangling"));
  const handles = new Handles(8);
  t.after(() => handles.closeAll());
  const gate = gateOf(["fs.write:in"], root, { cwd: join(root, "in") });
  const limits = { walkDepthMax: 9, walkEntriesMax: 99, isleBytesMax: 9_999 };
  return {
    root, ops: fsOps({ gate, clock, ids: seededIds(7), handles, tmpDir: join(root, "outside") }, limits),
  };
}

async function outside(root: string): Promise<unknown> {
  return [
    (await readdir(join(root, "outside"), { recursive: true })).sort(),
    await readFile(
      join(root, "outside/secret"), "utf8",
    ), await readFile(join(root, "outside/full/f"), "utf8"),
  ];
}

const WAYS = [
  "../outside/secret", "link/secret", "leak", "real/../../outside/secret", "/etc/passwd", "link/full",
];
const READERS = [
  "std.fs.read", "std.fs.read_binary", "std.fs.exists", "std.fs.is_dir", "std.fs.is_file", "std.fs.metadata", "std.fs.stat",
  "std.fs.list", "std.fs.walk", "std.json.read_file", "std.path.absolute", "io.open",
];
for (const name of READERS) {
  test(`${name} reaches nothing outside`, async (t) => {
    const { ops } = await cage(t);
    for (const way of WAYS) await assert.rejects(run(ops, name, [way]), { code: "grant.denied" }, way);
  });
}

const WRITERS: readonly (readonly [string, (way: string) => readonly Value[]])[] = [
  ["std.fs.write", (way) => [way, "x"]], ["std.fs.append", (way) => [way, "x"]], [
    "std.json.write_file", (way) => [way, "x"],
  ],
  ["io.open", (way) => [way, "w"]], ["io.open", (way) => [way, "a"]], ["io.open", (way) => [way, "r+"]],
  ["std.fs.copy", (way) => ["mine", way]],
];
for (const [name, args] of WRITERS) {
  test(`${name} (${args("…").join(", ")}) changes and makes nothing outside, nor through a link in the last place`, async (t) => {
    const { ops, root } = await cage(t);
    const before = await outside(root);
    for (const way of [...WAYS, "dangling", "link/new", "../outside/new"]) {
      await assert.rejects(run(ops, name, args(way)), { code: "grant.denied" }, way);
    }
    assert.deepEqual(await outside(root), before);
  });
}

const MOVERS: readonly (readonly [string, (way: string) => readonly Value[]])[] = [
  ["std.fs.remove", (way) => [way]], ["os.remove", (way) => [way]], [
    "std.fs.rename", (way) => [way, "stolen"],
  ],
  ["os.rename", (way) => [way, "stolen"]], [
    "std.fs.rename", (way) => ["mine", way],
  ], ["std.fs.mkdir", (way) => [`${way}/new`]],
];
for (const [name, args] of MOVERS) {
  test(`${name} (${args("…").join(", ")}) moves, makes and removes nothing outside`, async (t) => {
    const { ops, root } = await cage(t);
    const before = await outside(root);
    for (
      const way of [
        "../outside/secret", "../outside/full", "link/secret", "link/full", "real/../../outside/full",
      ]
    ) {
      await assert.rejects(run(ops, name, args(way)), { code: "grant.denied" }, way);
    }
    assert.deepEqual(await outside(root), before);
  });
}

test("removing a link, or a folder that holds one, leaves what it leads to", async (t) => {
  const { ops, root } = await cage(t);
  const before = await outside(root);
  await rename(join(root, "in/link"), join(root, "in/real/link"));
  assert.equal(await run(ops, "std.fs.remove", ["real"]), true);
  assert.equal(await run(ops, "os.remove", ["leak"]), true);
  assert.deepEqual(await outside(root), before);
});

test("glob and walk do not leave the granted folder through links", async (t) => {
  const { ops } = await cage(t);
  assert.deepEqual(await run(ops, "std.fs.walk", ["."]), ["./mine"]);
  assert.deepEqual(await run(ops, "std.fs.glob", ["*/secret"]), []);
  assert.deepEqual(await run(ops, "std.fs.glob", ["**/f"]), []);
  await assert.rejects(run(ops, "std.fs.glob", ["../outside/*"]), { code: "grant.denied" });
});

test("a link to a granted file is read, and not followed on write", async (t) => {
  const { ops, root } = await cage(t);
  await symlink("mine", join(root, "in/alias"));
  assert.equal(String(Buffer.from(await run(ops, "std.fs.read", ["alias"]))), "mine");
  await assert.rejects(run(ops, "std.fs.write", ["alias", "x"]), {
    message: `fs.write: ${root}/in/alias: is a symbolic link, which is not followed on write`, code: "fs.denied",
  });
  assert.equal(await readFile(join(root, "in/mine"), "utf8"), "mine");
});

test("os.tmpname needs the folder of temporary files to be granted", async (t) => {
  const { ops } = await cage(t);
  await assert.rejects(run(ops, "os.tmpname", []), { code: "grant.denied" });
  await assert.rejects(run(ops, "io.tmpfile", []), { code: "grant.denied" });
});

/** A gate that lets something happen between its check and the opening: the worst moment for a swap. */
async function swapped(
  t: TestContext, verb: "read" | "write", swap: (root: string) => Promise<void>,
): Promise<unknown> {
  const { root } = await cage(t);
  const before = await outside(root);
  const gate = gateOf(["fs.write:in"], root, { cwd: join(root, "in") });
  let once = true;
  const racing = {
    restricted: true,
    async path(asked: "read" | "write", path: string): Promise<string> {
      const real = await gate.path(asked, path);
      if (once) await swap(root);
      once = false;
      return real;
    },
  };
  const how = verb === "read" ? { read: true } : { write: true, create: true, truncate: true };
  const opened = openGranted(racing, "real/secret", how).then(async ({ handle }) => {
    await handle.close();
    return "opened";
  });
  const result = await opened.catch((error: { code?: string }) => error.code);
  assert.deepEqual(await outside(root), before);
  return result;
}

for (const verb of ["read", "write"] as const) {
  test(`a folder exchanged for a link between check and opening is not followed on ${verb}`, async (t) => {
    const result = await swapped(t, verb, async (root) => {
      await rm(join(root, "in/real"), { recursive: true });
      await symlink("../outside", join(root, "in/real"));
    });
    assert.notEqual(result, "opened");
  });

  test(`a folder of a granted one exchanged for a link is not followed on ${verb}`, async (t) => {
    const result = await swapped(t, verb, async (root) => {
      await rename(join(root, "in"), join(root, "was"));
      await mkdir(join(root, "in"));
      await symlink(join(root, "outside"), join(root, "in/real"));
    });
    assert.notEqual(result, "opened");
  });

  test(`a file exchanged for a link between check and opening is not followed on ${verb}`, async (t) => {
    const result = await swapped(
      t, verb, (root) => symlink("../../outside/secret", join(root, "in/real/secret")),
    );
    assert.equal(result, "grant.denied");
  });
}
