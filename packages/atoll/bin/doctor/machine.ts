/** What the machine brings: Node, SQLite, the Lua build, a shell. */
import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { REWRITTEN_SHA256, sha256, stockLuaBytes } from "@atoll-run/block/internal";
import { LUA_CACHE } from "../../src/compose/lua.ts";
import type { Finding } from "./finding.ts";

const NODE_WANTED = 24;

export function checkNode(): Finding {
  const { node } = process.versions;
  const ok = Number(node.split(".")[0]) >= NODE_WANTED;
  return {
    name: "node", ok, text: `${node} on ${process.platform} ${process.arch}`,
    ...(ok ? {} : { fix: `Install Node ${NODE_WANTED} or newer.` }),
    facts: { version: node, platform: process.platform, arch: process.arch },
  };
}

export function checkSqlite(): Finding {
  const { sqlite } = process.versions;
  return sqlite === undefined
    ? { name: "sqlite", ok: false, text: "this Node has none",
    fix: `Install Node ${NODE_WANTED} with node:sqlite.` }
    : { name: "sqlite", ok: true, text: sqlite, facts: { version: sqlite } };
}

export function checkLua(home: string | undefined): Finding {
  try {
    stockLuaBytes();
  } catch (error) {
    return { name: "lua", ok: false, text: (error as Error).message,
      fix: "Install the dependencies of Atoll again: npm install." };
  }
  const cache = home === undefined ? "none" : cacheState(join(home, LUA_CACHE));
  return { name: "lua", ok: true, text: `5.4, the known build; cache: ${cache}`,
    facts: { build: "known", cache } };
}

function cacheState(file: string): string {
  try {
    return sha256(readFileSync(file)) === REWRITTEN_SHA256 ? "ready" : "stale, made again at the next run";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "empty, made at the next run"
      : `unusable: ${(error as Error).message}`;
  }
}

export function checkShell(): Finding {
  try {
    accessSync("/bin/sh", constants.X_OK);
    return { name: "sh", ok: true, text: "/bin/sh" };
  } catch {
    return { name: "sh", ok: false, text: "there is no /bin/sh: sh.exec, io.popen and os.execute fail",
      fix: "Install a POSIX shell as /bin/sh." };
  }
}
