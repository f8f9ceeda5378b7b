/** Real files in a folder of their own. */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { BlockError } from "../../src/errors.ts";
import { run, text } from "../ops.ts";
import { disk } from "./disk.ts";

/** Both modes must give the same results inside the granted folder. */
const MODES: readonly (readonly [string, readonly string[] | undefined])[] = [
  ["all", undefined], ["restricted", ["fs.write:."]],
];

for (const [mode, grants] of MODES) {
  test(`${mode}: writers return true and readers give back the exact bytes`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    assert.equal(await run(ops, "std.fs.write", ["a.txt", "grün"]), true);
    assert.equal(text(await run(ops, "std.fs.read", ["a.txt"])), "grün");
    const bytes = Uint8Array.of(0, 255, 195, 40);
    assert.equal(await run(ops, "std.fs.write_binary", ["b.bin", bytes]), true);
    assert.deepEqual([...await run(ops, "std.fs.read", ["b.bin"])], [0, 255, 195, 40]);
    assert.deepEqual([...await run(ops, "std.fs.read_binary", ["b.bin"])], [0, 255, 195, 40]);
    assert.equal(await run(ops, "std.fs.append", ["a.txt", "!"]), true);
    assert.equal(await run(ops, "std.fs.write", ["empty", ""]), true);
    assert.equal((await run(ops, "std.fs.read", ["empty"])).length, 0);
    assert.equal(await readFile(join(root, "a.txt"), "utf8"), "grün!");
    assert.equal(await run(ops, "std.fs.write", ["a.txt", "x"]), true);
    assert.equal(await readFile(join(root, "a.txt"), "utf8"), "x");
  });

  test(`${mode}: a large file comes whole`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    const big = Buffer.alloc(3_000_000, "0123456789abcdef");
    await writeFile(join(root, "big"), big);
    assert.ok(big.equals(await run(ops, "std.fs.read", ["big"])));
    assert.equal(await run(ops, "std.fs.copy", ["big", "copy"]), true);
    assert.ok(big.equals(await readFile(join(root, "copy"))));
  });

  test(`${mode}: copy keeps the permission bits and refuses a file onto itself`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    await writeFile(join(root, "tool"), "#!/bin/sh\n");
    await chmod(join(root, "tool"), 0o755);
    await run(ops, "std.fs.copy", ["tool", "copy"]);
    assert.equal((await stat(join(root, "copy"))).mode & 0o111, 0o111);
    await assert.rejects(
      run(ops, "std.fs.copy", ["tool", "./tool"]), {
        message: "fs.copy: ./tool: source and target are the same file",
      },
    );
    assert.equal(await readFile(join(root, "tool"), "utf8"), "#!/bin/sh\n");
  });

  test(`${mode}: exists, is_dir, is_file, metadata and stat look at what is there`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    await mkdir(join(root, "dir"));
    await writeFile(join(root, "file"), "12345", { mode: 0o640 });
    const seen = async (path: string): Promise<boolean[]> =>
      await Promise.all(["exists", "is_dir", "is_file"].map((name) => run(ops, `std.fs.${name}`, [path])));
    assert.deepEqual(await seen("dir"), [true, true, false]);
    assert.deepEqual(await seen("file"), [true, false, true]);
    assert.deepEqual(await seen("none"), [false, false, false]);
    assert.deepEqual(await seen("file/below"), [false, false, false]);
    const { mtimeMs } = await stat(join(root, "file"));
    assert.deepEqual(
      await run(ops, "std.fs.metadata", ["file"]), {
        size: 5, modified: mtimeMs / 1_000, is_dir: false, is_file: true,
      },
    );
    const { type, size, mode } = await run(ops, "std.fs.stat", ["file"]);
    assert.deepEqual({ type, size, mode: mode & 0o700 }, { type: "file", size: 5, mode: 0o600 });
  });

  test(`${mode}: mkdir makes what is missing, remove takes a folder with all in it`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    assert.equal(await run(ops, "std.fs.mkdir", ["a/b/c"]), true);
    assert.equal(await run(ops, "std.fs.mkdir", ["a/b"]), true);
    await writeFile(join(root, "a/b/c/f"), "");
    await writeFile(join(root, "kept"), "");
    await symlink("../../kept", join(root, "a/b/link"));
    await assert.rejects(run(ops, "std.fs.mkdir", ["kept"]), { message: "fs.mkdir: kept: File exists" });
    assert.equal(await run(ops, "std.fs.remove", ["a"]), true);
    assert.deepEqual(await readdir(root), ["kept"]);
    assert.equal(await run(ops, "std.fs.remove", ["kept"]), true);
    await assert.rejects(
      run(ops, "std.fs.remove", ["kept"]), {
        message: "fs.remove: kept: No such file or directory", code: "fs.not_found",
      },
    );
  });

  test(`${mode}: list gives name, type and size of one folder, sorted by bytes, without an entry limit`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    await mkdir(join(root, "d/ä"), { recursive: true });
    await writeFile(join(root, "d/Z"), "123");
    await writeFile(join(root, "d/a"), "1");
    await symlink("a", join(root, "d/l"));
    await writeFile(Buffer.concat([Buffer.from(join(root, "d/")), Buffer.from([0xff])]), "");
    const rows = await run(ops, "std.fs.list", ["d"]);
    assert.deepEqual(rows.map((row: { name: unknown; type: string }) => [row.name, row.type]),
      [["Z", "file"], ["a", "file"], ["l", "symlink"], ["ä", "dir"], [Uint8Array.of(255), "file"]]);
    assert.deepEqual(rows[0], { name: "Z", type: "file", size: 3 });
    await mkdir(join(root, "many"));
    for (let i = 0; i < 100; i++) await writeFile(join(root, `many/${i}`), "");
    assert.equal((await run(ops, "std.fs.list", ["many"])).length, 100);
    await assert.rejects(run(ops, "std.fs.list", ["d/Z"]), { message: "fs.list: d/Z: Not a directory" });
  });

  test(`${mode}: walk gives the files below, sorted, and refuses more than its limits`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    await mkdir(join(root, "w/b/c"), { recursive: true });
    await writeFile(join(root, "w/z"), "");
    await writeFile(join(root, "w/b/c/f"), "");
    await symlink("..", join(root, "w/b/up"));
    assert.deepEqual(await run(ops, "std.fs.walk", ["w"]), ["w/b/c/f", "w/z"]);
    assert.deepEqual(
      await run(ops, "std.fs.walk", [join(root, "w")]), [join(root, "w/b/c/f"), join(root, "w/z")],
    );
    await mkdir(join(root, "deep/1/2/3/4/5/6"), { recursive: true });
    await writeFile(join(root, "deep/1/2/3/4/5/f"), "");
    await assert.rejects(
      run(ops, "std.fs.walk", ["deep"]), {
        message: "fs.walk: deep: more than 5 folders deep", code: "fs.limit",
      },
    );
    await mkdir(join(root, "many"));
    for (let i = 0; i < 21; i++) await writeFile(join(root, `many/${i}`), "");
    await assert.rejects(
      run(ops, "std.fs.walk", ["many"]), { message: "fs.walk: many: more than 20 entries", code: "fs.limit" },
    );
    await assert.rejects(
      run(ops, "std.fs.walk", ["none"]), { message: "fs.walk: none: No such file or directory" },
    );
  });

  test(`${mode}: glob matches files and folders, and * stops at /`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    await mkdir(join(root, "g/x"), { recursive: true });
    for (const name of ["g/a.txt", "g/b.txt", "g/c.md", "g/x/d.txt"]) await writeFile(join(root, name), "");
    assert.deepEqual(await run(ops, "std.fs.glob", ["g/*.txt"]), ["g/a.txt", "g/b.txt"]);
    assert.deepEqual(await run(ops, "std.fs.glob", ["g/**/*.txt"]), ["g/a.txt", "g/b.txt", "g/x/d.txt"]);
    assert.deepEqual(await run(ops, "std.fs.glob", ["*/x"]), ["g/x"]);
    assert.deepEqual(await run(ops, "std.fs.glob", [join(root, "g/?.md")]), [join(root, "g/c.md")]);
    assert.deepEqual(await run(ops, "std.fs.glob", ["g/c.md"]), ["g/c.md"]);
    assert.deepEqual(await run(ops, "std.fs.glob", ["none/*"]), []);
  });

  test(`${mode}: rename moves, os.remove takes one entry, os.rename and os.tmpname do as Lua's`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    await writeFile(join(root, "one"), "1");
    assert.equal(await run(ops, "std.fs.rename", ["one", "two"]), true);
    assert.equal(await run(ops, "os.rename", ["two", "three"]), true);
    await mkdir(join(root, "full/x"), { recursive: true });
    await assert.rejects(
      run(ops, "os.remove", ["full"]), { message: "full: Directory not empty", code: "fs.failed" },
    );
    assert.equal(await run(ops, "os.remove", ["full/x"]), true);
    assert.equal(await run(ops, "os.remove", ["three"]), true);
    const name = await run(ops, "os.tmpname", []);
    assert.equal((await stat(name)).size, 0);
    assert.equal((await stat(name)).mode & 0o077, 0);
  });

  test(`${mode}: io.open gives a number that reads, writes, seeks and closes`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    const id = await run(ops, "io.open", ["f", "w+"]);
    assert.equal(typeof id, "number");
    await run(ops, "io.write", [id, "hello "]);
    await run(ops, "io.write", [id, Uint8Array.of(119, 255)]);
    assert.equal(await run(ops, "io.seek", [id, "cur", 0]), 8);
    assert.equal(await run(ops, "io.seek", [id, "set", 4]), 4);
    assert.deepEqual([...await run(ops, "io.read", [id, 3])], [111, 32, 119]);
    assert.deepEqual([...await run(ops, "io.read", [id, 100])], [255]);
    assert.equal(await run(ops, "io.read", [id, 100]), undefined);
    assert.equal(await run(ops, "io.seek", [id, "end", -2]), 6);
    await run(ops, "io.write", [id, "W"]);
    await assert.rejects(
      run(ops, "io.seek", [id, "set", -1]), (error: BlockError) => error.facts["errno"] === 22,
    );
    assert.equal(await run(ops, "io.flush", [id]), true);
    assert.equal(await run(ops, "io.close", [id]), true);
    assert.deepEqual([...await readFile(join(root, "f"))], [...Buffer.from("hello W"), 255]);
    await assert.rejects(
      run(ops, "io.read", [id, 1]), { message: "attempt to use a closed file", code: "io.failed" },
    );
  });

  test(`${mode}: append mode writes to the end wherever the file stands`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    await writeFile(join(root, "log"), "one\n");
    const id = await run(ops, "io.open", ["log", "a+"]);
    assert.equal(text(await run(ops, "io.read", [id, 3])), "one");
    await run(ops, "io.write", [id, "two\n"]);
    assert.equal(await run(ops, "io.seek", [id, "cur", 0]), 8);
    await run(ops, "io.close", [id]);
    assert.equal(await readFile(join(root, "log"), "utf8"), "one\ntwo\n");
  });

  test(`${mode}: io.tmpfile is a file without a name`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    const id = await run(ops, "io.tmpfile", []);
    await run(ops, "io.write", [id, "x"]);
    assert.equal(await run(ops, "io.seek", [id, "set", 0]), 0);
    assert.equal(text(await run(ops, "io.read", [id, 9])), "x");
    assert.deepEqual(await readdir(root), []);
  });

  test(`${mode}: absolute gives the real path of what exists`, async (t) => {
    const { ops, root } = await disk(t, { grants });
    await writeFile(join(root, "f"), "");
    await symlink("f", join(root, "l"));
    assert.equal(await run(ops, "std.path.absolute", ["./l"]), join(root, "f"));
    await assert.rejects(
      run(ops, "std.path.absolute", ["none"]), {
        message: "path.absolute: none: No such file or directory", code: "fs.not_found",
      },
    );
  });
}
