/** The whole script API, in the order in which it is documented. */
import type { ApiModule } from "./declare.ts";
import { agent, codingAgent, compileLoop, lshape, session } from "./modules/blocks.ts";
import { json, path, string, validate } from "./modules/data.ts";
import { globals } from "./modules/globals.ts";
import { env, fs, time } from "./modules/machine.ts";
import { mcp } from "./modules/mcp.ts";
import { http, sh } from "./modules/outside.ts";
import { kv, sql, ts } from "./modules/stores.ts";
import { mob } from "./modules/mob.ts";
import { bus, mesh } from "./modules/talk.ts";
import { task } from "./modules/task.ts";
import { llm, log, tool } from "./modules/tools.ts";

export const CATALOGUE: readonly ApiModule[] = [
  globals, bus, mesh, mob, http, sh, tool, log, llm, mcp, json, env, path, time, string, validate, fs, sql, kv, ts, task,
  agent, session, compileLoop, codingAgent, lshape,
];
