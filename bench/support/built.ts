/** The packages as users get them: compiled, from the last build (`npm run bench` makes it when it is old). */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type * as Nodes from "@atoll-run/atoll/node";
import type * as Block from "@atoll-run/block";
import type * as CoreInternal from "@atoll-run/core/internal";
import type * as NodeDoor from "@atoll-run/node";
import type * as Node from "@atoll-run/node/internal";
import type * as Sqlite from "@atoll-run/sqlite";
import type * as Testkit from "@atoll-run/testkit";

const PACKAGES = new URL("../../build/node_modules/@atoll-run/", import.meta.url);

export const block = await import(new URL("block/dist/index.js", PACKAGES).href) as typeof Block;
export const sqlite = await import(new URL("sqlite/dist/index.js", PACKAGES).href) as typeof Sqlite;
export const coreInternal = await import(new URL("core/dist/internal.js", PACKAGES).href) as typeof CoreInternal;
export const node = await import(new URL("node/dist/internal.js", PACKAGES).href) as typeof Node;
export const nodeDoor = await import(new URL("node/dist/index.js", PACKAGES).href) as typeof NodeDoor;
/** Services, nodes and realms, as programs import them. */
export const nodes = await import(new URL("atoll/dist/node.js", PACKAGES).href) as typeof Nodes;
export const testkit = await import(new URL("testkit/dist/index.js", PACKAGES).href) as typeof Testkit;

/** The built command, undefined while there is none. */
export function builtCommand(): string | undefined {
  const file = fileURLToPath(new URL("atoll/bin/atoll.js", PACKAGES));
  return existsSync(file) ? file : undefined;
}
