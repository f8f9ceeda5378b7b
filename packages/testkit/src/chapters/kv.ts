/**
 * Conformance of `KvStore`: values untouched, order by bytes, texts of errors; durability where there is a
 * file.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { KvStore, StoreCall } from "@atoll-run/core";

export interface KvUnderTest {
  /** Title of the chapters. */
  readonly name: string;
  /** A handle on the store in this folder. */
  open(folder: string): KvStore;
  /** What is opened again has what was acknowledged; else the reason why not. */
  readonly durable: true | { readonly skip: string };
}

const CALL: StoreCall = { timeoutMs: 20_000 };

/** Registers the tests with node:test. */
export function kvChapters(under: KvUnderTest): void {
  describe(`${under.name}: kv`, () => {
    const folder = mkdtempSync(join(tmpdir(), "atoll-kv-chapters-"));
    const opened: KvStore[] = [];
    let folders = 0;
    const open = (at = join(folder, `${++folders}`)): KvStore => {
      const store = under.open(at);
      opened.push(store);
      return store;
    };
    after(async () => {
      await Promise.all(opened.map((store) => store[Symbol.asyncDispose]()));
      rmSync(folder, { recursive: true, force: true });
    });
    valueChapter(open);
    errorChapter(open);
    lifeChapter(open, under.durable === true ? undefined : under.durable.skip, folder);
  });
}

type Open = (at?: string) => KvStore;

function valueChapter(open: Open): void {
  test("what was set is got, as the same text", async () => {
    const kv = open();
    const texts = ["9007199254740993", "9223372036854775807", "6.0", '{"b":1,"a":[null,"\\u0000é🌊"]}', '""', "null"];
    for (const [i, text] of texts.entries()) await kv.set("n", `k${i}`, text, CALL);
    for (const [i, text] of texts.entries()) assert.equal(await kv.get("n", `k${i}`, CALL), text);
  });

  test("a key that was not set is undefined", async () => assert.equal(await open().get("n", "nope", CALL), undefined));

  test("a set replaces, a delete says whether the key was there", async () => {
    const kv = open();
    await kv.set("n", "k", "1", CALL);
    await kv.set("n", "k", "2", CALL);
    assert.equal(await kv.get("n", "k", CALL), "2");
    assert.equal(await kv.delete("n", "k", CALL), true);
    assert.equal(await kv.delete("n", "k", CALL), false);
    assert.equal(await kv.get("n", "k", CALL), undefined);
  });

  test("namespaces do not see each other", async () => {
    const kv = open();
    await kv.set("a", "k", "1", CALL);
    await kv.set("b", "k", "2", CALL);
    assert.equal(await kv.get("a", "k", CALL), "1");
    assert.deepEqual(await kv.list("b", "", CALL), ["k"]);
    assert.equal(await kv.delete("a", "k", CALL), true);
    assert.equal(await kv.get("b", "k", CALL), "2");
  });

  test("keys may be empty and hold any character", async () => {
    const kv = open();
    for (const key of ["", "a\u0000b", "é", "%", "_", "a/b", "🌊"]) await kv.set("n", key, JSON.stringify(key), CALL);
    for (const key of ["", "a\u0000b", "é", "%", "_", "a/b", "🌊"]) {
      assert.equal(await kv.get("n", key, CALL), JSON.stringify(key));
    }
  });

  test("list gives the keys with the prefix, sorted by bytes", async () => {
    const kv = open();
    for (const key of ["b", "a", "ab", "a%", "a_", "A", "ａ", "🌊", "a🌊", "aａ", "aa"]) await kv.set("n", key, "1", CALL);
    assert.deepEqual(await kv.list("n", "a", CALL), ["a", "a%", "a_", "aa", "ab", "aａ", "a🌊"]);
    assert.deepEqual(await kv.list("n", "", CALL), ["A", "a", "a%", "a_", "aa", "ab", "aａ", "a🌊", "b", "ａ", "🌊"]);
    assert.deepEqual(await kv.list("n", "nope", CALL), []);
    assert.deepEqual(await kv.list("other", "", CALL), []);
  });

  test("list of more keys than a slice holds is whole", async () => {
    const kv = open();
    const keys = Array.from({ length: 3_000 }, (_, i) => `k${String(i).padStart(4, "0")}`);
    await Promise.all([...keys, "j", "l"].map((key) => kv.set("n", key, "1", CALL)));
    assert.deepEqual(await kv.list("n", "k", CALL), keys);
  });

  test("requests are answered in the order of the calls", async () => {
    const kv = open();
    const [, first, , second, gone, third] = await Promise.all([
      kv.set("n", "k", "1", CALL), kv.get("n", "k", CALL), kv.set("n", "k", "2", CALL), kv.get("n", "k", CALL),
      kv.delete("n", "k", CALL), kv.get("n", "k", CALL),
    ]);
    assert.deepEqual([first, second, gone, third], ["1", "2", true, undefined]);
  });
}

function errorChapter(open: Open): void {
  for (const ns of ["", "a/b", "a\\b", "a\u0000b", "..", "a..b"]) {
    test(`the namespace ${JSON.stringify(ns)} is invalid in every operation`, async () => {
      const kv = open();
      const fault = { code: "kv.namespace", message: `Invalid namespace: '${ns}'` };
      await assert.rejects(kv.get(ns, "k", CALL), fault);
      await assert.rejects(kv.set(ns, "k", "1", CALL), fault);
      await assert.rejects(kv.delete(ns, "k", CALL), fault);
      await assert.rejects(kv.list(ns, "", CALL), fault);
    });
  }

  test("a cancelled call fails with its text and changes nothing", async () => {
    const kv = open();
    const call = { ...CALL, signal: AbortSignal.abort() };
    await assert.rejects(kv.set("n", "k", "1", call), { code: "kv.cancelled", message: "task cancelled during kv.set" });
    await assert.rejects(kv.get("n", "k", call), { code: "kv.cancelled", message: "task cancelled during kv.get" });
    await assert.rejects(kv.list("n", "", call), { code: "kv.cancelled", message: "task cancelled during kv.list" });
    assert.equal(await kv.get("n", "k", CALL), undefined);
  });
}

function lifeChapter(open: Open, skip: string | undefined, folder: string): void {
  test("what was acknowledged is there when the store is opened again", { skip: skip ?? false }, async () => {
    const at = join(folder, "again", "deep");
    const first = open(at);
    await Promise.all(Array.from({ length: 100 }, (_, i) => first.set("n", `k${i}`, String(i), CALL)));
    await first[Symbol.asyncDispose]();
    const second = open(at);
    for (let i = 0; i < 100; i++) assert.equal(await second.get("n", `k${i}`, CALL), String(i));
  });

  test("a closed store refuses later calls, and closing twice is closing once", async () => {
    const kv = open();
    await kv.set("n", "k", "1", CALL);
    await kv[Symbol.asyncDispose]();
    await kv[Symbol.asyncDispose]();
    await assert.rejects(kv.get("n", "k", CALL), { code: "kv.failed", message: "kv.get sql error: the store is closed" });
  });
}
