/** The folder of a user's stores, and the stores in it. */
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Env, storePath } from "../../src/compose/settings.ts";
import { reason } from "../running/inputs.ts";
import type { Finding } from "./finding.ts";

const FIX = "Set ATOLL_HOME to a folder that you may write.";

export function checkHome(home: string | undefined): Finding[] {
  if (home === undefined) {
    return [{ name: "home", ok: false,
      text: "neither ATOLL_HOME nor HOME is set: std.kv, std.sql and std.ts fail", fix: FIX }];
  }
  const path = resolve(home);
  const place = existingAbove(path);
  try {
    const isFolder = statSync(place).isDirectory();
    if (!isFolder) return [{ name: "home", ok: false, text: `${place} is not a folder`, fix: FIX }];
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    return [{ name: "home", ok: false, text: `${place}: ${reason(error)}`, fix: FIX }];
  }
  const isThere = place === path;
  return [{ name: "home", ok: true, text: isThere ? path : `${path}, made at the first use`,
    facts: { path, exists: isThere } }];
}

/** The path, or the nearest folder above that exists. */
export function existingAbove(path: string): string {
  let place = path;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  return place;
}

const STORES = [["kv", "KV_PATH", "kv.sqlite"], ["sql", "SQL_PATH", "db.sqlite"],
  ["ts", "TS_PATH", "ts.sqlite"]] as const;

/** Looks at the head of each file only: a store may be in use. */
export function checkStores(env: Env): Finding[] {
  return STORES.flatMap(([name, key, file]) => {
    const path = pathOf(env, key, file);
    return path === undefined || path === ":memory:" || !existsSync(path) ? []
      : [checkStore(`std.${name}`, path)];
  });
}

function pathOf(env: Env, key: (typeof STORES)[number][1], file: string): string | undefined {
  try {
    return storePath(env, key, file);
  } catch {
    return undefined;
  }
}

function checkStore(name: string, path: string): Finding {
  const fix = "Restore it from a backup, or move it away: a new one is made.";
  try {
    const { size } = statSync(path);
    const isStore = size === 0 || head(path) === "SQLite format 3\0";
    if (!isStore) return { name, ok: false, text: `${path} is not a SQLite file`, fix };
    accessSync(path, constants.R_OK | constants.W_OK);
    return { name, ok: true, text: `${path}, ${Math.ceil(size / 1_024)} KiB`, facts: { path, bytes: size } };
  } catch (error) {
    return { name, ok: false, text: `${path}: ${reason(error)}`,
      fix: "Make it readable and writable for this user." };
  }
}

function head(path: string): string {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(16);
    readSync(file, bytes, 0, 16, 0);
    return bytes.toString("latin1");
  } finally {
    closeSync(file);
  }
}
