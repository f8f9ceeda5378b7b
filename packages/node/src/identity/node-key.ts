/**
 * The key of a node, kept in a file that only its owner can read (spec: node 3.1 step 2, 8.1).
 *
 * takes a folder and the local name of the node; gives its Ed25519 key; promises the same key at each start; refuses a
 * file that others can read or that holds no key; never overwrites one.
 */
import { constants } from "node:fs";
import { link, mkdir, open, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { nodeError, type NodeError } from "@atoll-run/core";
import { concat, toSigningKey } from "@atoll-run/core/internal";
import type { NodeKey } from "./session.ts";

export interface NodeKeyFile {
  /** Folder of the state; keys lie in its `keys`. */
  readonly dir: string;
  /** Local name of the node. */
  readonly node: string;
  /** Random bytes for a new key. */
  bytes(count: number): Uint8Array;
}

const SEED_BYTES = 32;
const FILE_BYTES_MAX = 1_024;
const OTHERS = 0o077;
/** PKCS #8 of an Ed25519 seed, so that other tools can read the file. */
const PKCS8_PREFIX = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);
const BEGIN = "-----BEGIN PRIVATE KEY-----";
const END = "-----END PRIVATE KEY-----";

/** A new key that is not stored. */
export function newNodeKey(bytes: (count: number) => Uint8Array): Promise<NodeKey> {
  return toSigningKey(bytes(SEED_BYTES));
}

/** Where the key of a node lies. */
export function nodeKeyPath(dir: string, node: string): string {
  return join(dir, "keys", `${encodeURIComponent(node)}.pem`);
}

/** Throws `node.permission_denied` if others can read it, `node.decode_failure` if it is no key. */
export async function loadNodeKey({ dir, node, bytes }: NodeKeyFile): Promise<NodeKey> {
  const path = nodeKeyPath(dir, node);
  const found = await readKey(path);
  if (found !== undefined) return toSigningKey(found);
  await mkdir(join(dir, "keys"), { recursive: true, mode: 0o700 });
  await createFile(path, Buffer.from(bytes(8)).toString("hex"), toPem(bytes(SEED_BYTES)));
  // Not what was written: another start may have been first, and is right then.
  const stored = await readKey(path);
  if (stored === undefined) throw unreadable(path, new Error("it is gone again"));
  return toSigningKey(stored);
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unreadable(path, error);
  }
  try {
    const { mode, size } = await file.stat();
    // Windows keeps no such bits.
    if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
      throw nodeError("node.permission_denied", `others can read the key of the node: ${path}`, {
        hint: `Run: chmod 600 ${path}. If somebody may have read it, delete it: the node then gets a new key and id.`,
      });
    }
    const seed = size > FILE_BYTES_MAX ? undefined : fromPem(await file.readFile("utf8"));
    if (seed === undefined) {
      throw nodeError("node.decode_failure", `there is no Ed25519 key in ${path}`, {
        hint: "Put the right file back, or delete it: the node then gets a new key and id.",
      });
    }
    return seed;
  } finally {
    await file.close();
  }
}

/** The whole file or none, and durable before it is used: a key that is lost is an identity that is lost. */
async function createFile(path: string, suffix: string, text: string): Promise<void> {
  const half = `${path}.${suffix}`;
  try {
    const file = await open(half, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(half, path);
    await syncFolder(dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unreadable(path, error);
  } finally {
    await unlink(half).catch(() => undefined);
  }
}

/** The name of a new file is durable with its folder; Windows does it with the file. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function toPem(seed: Uint8Array): string {
  return `${BEGIN}\n${Buffer.from(concat(PKCS8_PREFIX, seed)).toString("base64")}\n${END}\n`;
}

function fromPem(text: string): Uint8Array | undefined {
  const lines = text.trim().split(/\s*\n\s*/);
  if (lines.shift() !== BEGIN || lines.pop() !== END) return undefined;
  const der = Buffer.from(lines.join(""), "base64");
  const right = der.length === PKCS8_PREFIX.length + SEED_BYTES && PKCS8_PREFIX.every((byte, at) => der[at] === byte);
  return right ? Uint8Array.from(der.subarray(PKCS8_PREFIX.length)) : undefined;
}

function unreadable(path: string, cause: unknown): NodeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return nodeError("node.unavailable", `the key of the node cannot be read or written: ${why}`, { cause, facts: { path } });
}
