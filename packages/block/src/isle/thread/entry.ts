/**
 * Entry of a worker thread that carries isles. The code of an isle is large: where the host keeps compiled code
 * between processes, the thread takes it from there.
 */
import { enableCompileCache } from "node:module";
import { workerData } from "node:worker_threads";
import type { ThreadData } from "./protocol.ts";

const { codeCache } = workerData as ThreadData;
if (codeCache !== undefined) enableCompileCache(codeCache);
await import("./isle-thread.ts");
