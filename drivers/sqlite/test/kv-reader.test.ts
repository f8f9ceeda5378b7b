/** Values that are read often are read on the caller's own thread: the same answers, whatever happens to the file. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { openStores, type Stores } from "@atoll-run/sqlite";

const root = mkdtempSync(join(tmpdir(), "atoll-kv-reader-"));
after(() => rmSync(root, { recursive: true, force: true }));

function open(name: string, journalMode = "WAL"): Stores {
  return openStores({ kvPath: join(root, name), tsPath: ":memory:", busyTimeoutMs: 5_000, journalMode });
}

async function warm({ kv }: Stores): Promise<void> {
  for (let i = 0; i < 40; i++) await kv.get("n", "none", {});
}

for (const journalMode of ["WAL", "DELETE"]) {
  test(`a read sees every write that was asked for before it, in ${journalMode} mode`, async () => {
    await using stores = open(`${journalMode}.sqlite`, journalMode);
    await warm(stores);
    const { kv } = stores;
    for (let i = 0; i < 200; i++) {
      const writing = kv.set("n", "k", String(i), {});
      // asked for while the write is under way
      assert.equal(await kv.get("n", "k", {}), String(i));
      await writing;
      assert.equal(await kv.get("n", "k", {}), String(i));
    }
    assert.equal(await kv.delete("n", "k", {}), true);
    assert.equal(await kv.get("n", "k", {}), undefined);
  });
}

test("a value of several megabytes, and one that another program wrote, are read whole", async () => {
  await using stores = open("large.sqlite");
  await warm(stores);
  const large = JSON.stringify("x".repeat(4 << 20));
  await stores.kv.set("n", "large", large, {});
  assert.equal(await stores.kv.get("n", "large", {}), large);
  using other = new DatabaseSync(join(root, "large.sqlite"));
  other.prepare("INSERT INTO __kv (ns, key, value) VALUES ('n', 'other', '7')").run();
  assert.equal(await stores.kv.get("n", "other", {}), "7");
});

test("while another program holds the file for itself, and after it, reads are answered", async () => {
  await using stores = open("locked.sqlite");
  await stores.kv.set("n", "k", "1", {});
  await warm(stores);
  using other = new DatabaseSync(join(root, "locked.sqlite"));
  other.exec("BEGIN EXCLUSIVE");
  assert.equal(await stores.kv.get("n", "k", {}), "1");
  other.exec("COMMIT");
  assert.equal(await stores.kv.get("n", "k", {}), "1");
});

test("a table that is gone is an error of the store, and a closed store refuses", async () => {
  const stores = open("gone.sqlite");
  await warm(stores);
  using other = new DatabaseSync(join(root, "gone.sqlite"));
  other.exec("DROP TABLE __kv");
  await assert.rejects(stores.kv.get("n", "k", {}), { code: "kv.failed" });
  await stores[Symbol.asyncDispose]();
  await assert.rejects(stores.kv.get("n", "k", {}), { code: "kv.failed", message: /closed/ });
});
