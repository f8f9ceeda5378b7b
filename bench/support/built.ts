/** The packages as users get them: compiled, from the last build (`npm run bench` makes it when it is old). */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type * as Block from "@atoll-run/block";
import type * as Sqlite from "@atoll-run/sqlite";

const PACKAGES = new URL("../../build/node_modules/@atoll-run/", import.meta.url);

export const block = await import(new URL("block/dist/index.js", PACKAGES).href) as typeof Block;
export const sqlite = await import(new URL("sqlite/dist/index.js", PACKAGES).href) as typeof Sqlite;

/** The built command, undefined while there is none. */
export function builtCommand(): string | undefined {
  const file = fileURLToPath(new URL("atoll/bin/atoll.js", PACKAGES));
  return existsSync(file) ? file : undefined;
}
