/** Puts the parts of our own code together: the source that an isle is booted with. */
import { agents } from "./agents.ts";
import { answers } from "./answers.ts";
import { calls } from "./calls.ts";
import { errors } from "./errors.ts";
import { packing } from "./packing.ts";
import { aborting } from "./aborting.ts";
import { bridges } from "./bridges.ts";
import { buses } from "./buses.ts";
import { globals } from "./globals.ts";
import { library } from "./library.ts";
import { sessions } from "./sessions.ts";
import { storeTools } from "./store-tools.ts";
import { tasks } from "./tasks.ts";
import { tools } from "./tools.ts";
import { waits } from "./waits.ts";
import { works } from "./works.ts";
import type { GuestSetup } from "./guest.ts";

/** Name under which a script imports its bridges. */
export const SCRIPT_MODULE = "@atoll-run/atoll/script";
/** What that module exports. */
export const EXPORTS = ["bus", "mesh", "mob", "http", "sh", "tool", "log", "llm", "mcp", "std", "agent", "session", "block",
  "BlockError"];

/** In this order: each uses what those before it gave. */
const PARTS = [
  packing, errors, calls, answers, aborting, globals, works, bridges, library, buses, tools, storeTools, tasks, waits, sessions, agents,
];

/** Where the parts leave the exports until the module below has taken them. */
const HANDED = "__atoll_script";

/** Source of the module that scripts import; it is evaluated at the start of an isle. */
export const MODULE_SOURCE = EXPORTS.map((name) => `export const ${name} = ${HANDED}.${name};`).join("\n");

/**
 * A function of the host function that gives the entry for messages of the host. `values`: text of an object with
 * the globals that the host gives.
 */
export function bootSource(setup: GuestSetup, values: string): string {
  return `(function (host) {
"use strict";
Object.assign(globalThis, ${values});
const g = { host, setup: ${JSON.stringify(setup)}, ending: {}, on: Object.create(null), api: {}, event: undefined };
${PARTS.map((part) => `(${part.toString()})(g);`).join("\n")}
Object.defineProperty(globalThis, ${JSON.stringify(HANDED)}, { value: g.api, configurable: true });
const done = import(${JSON.stringify(SCRIPT_MODULE)}).then(() => { delete globalThis[${JSON.stringify(HANDED)}]; });
return (what, id, text, extra, ...bytes) => { done.then(() => g.on[what](id, text, extra, bytes)); };
})`;
}
