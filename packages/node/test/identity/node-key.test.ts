import assert from "node:assert/strict";
import { createPrivateKey, randomBytes } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { verifySignature } from "@atoll-run/core/internal";
import { loadNodeKey, newNodeKey, nodeKeyPath } from "@atoll-run/node/internal";

const bytes = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));
const dirs: string[] = [];
after(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true }))));

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "atoll-key-"));
  dirs.push(dir);
  return dir;
}

test("a node has one key from its first start on, and only its owner can read it", async () => {
  const dir = await folder();
  const first = await loadNodeKey({ dir, node: "bank", bytes });
  const again = await loadNodeKey({ dir, node: "bank", bytes });
  const other = await loadNodeKey({ dir, node: "shop/1 ü", bytes });
  assert.deepEqual(again.publicKey, first.publicKey);
  assert.notDeepEqual(other.publicKey, first.publicKey);
  const text = new TextEncoder().encode("hello");
  assert.ok(await verifySignature(first.publicKey, await again.sign(text), text));
  assert.equal((await stat(nodeKeyPath(dir, "bank"))).mode & 0o777, 0o600);
  assert.equal((await stat(join(dir, "keys"))).mode & 0o777, 0o700);
  assert.equal((await readdir(join(dir, "keys"))).length, 2);
});

test("two that start at the same time get the same key", async () => {
  const dir = await folder();
  const keys = await Promise.all([1, 2, 3, 4].map(() => loadNodeKey({ dir, node: "bank", bytes })));
  assert.equal(new Set(keys.map(({ publicKey }) => publicKey.join())).size, 1);
  assert.equal((await readdir(join(dir, "keys"))).length, 1);
});

test("a key that others can read is refused, and so is a file without a key", async () => {
  const dir = await folder();
  await loadNodeKey({ dir, node: "bank", bytes });
  const path = nodeKeyPath(dir, "bank");
  await chmod(path, 0o640);
  await assert.rejects(loadNodeKey({ dir, node: "bank", bytes }), (error: Error & { code: string; hint: string }) =>
    error.code === "node.permission_denied" && error.hint.includes("chmod 600"));
  await chmod(path, 0o600);
  const before = await readFile(path, "utf8");
  for (const text of ["", "nothing", before.replace("MC4", "MC5"), before + "x".repeat(2_000)]) {
    await writeFile(path, text);
    await assert.rejects(loadNodeKey({ dir, node: "bank", bytes }), { code: "node.decode_failure" });
  }
});

test("the file is PKCS #8, which other tools read", async () => {
  const dir = await folder();
  await loadNodeKey({ dir, node: "bank", bytes });
  const { asymmetricKeyType } = createPrivateKey(await readFile(nodeKeyPath(dir, "bank"), "utf8"));
  assert.equal(asymmetricKeyType, "ed25519");
});

test("a key that is not stored is another one each time", async () => {
  const [one, two] = await Promise.all([newNodeKey(bytes), newNodeKey(bytes)]);
  assert.notDeepEqual(one.publicKey, two.publicKey);
});
