/** The block as a `ScriptEngine`, for the chapters that any engine has to pass. */
import { randomUUID } from "node:crypto";
import type { Json, ScriptEngine, ScriptIsle } from "@atoll-run/core";
import { seededIds } from "@atoll-run/testkit";
import { createBlock } from "../../src/block.ts";
import type { IslePlacing } from "../../src/isle/host/threads.ts";
import { clock } from "../ops.ts";

const missing = (): never => {
  throw new Error("no stores here");
};

export function luaEngine(placing: IslePlacing, language: "lua" | "js" = "lua"): ScriptEngine {
  const block = createBlock({
    clock, placing, ids: { uuid4: randomUUID, uuid7: seededIds(1, clock).uuid7 },
    stores: { sql: missing, kv: missing, series: missing }, searchPath: "", inherit: () => undefined,
  });
  return {
    start(source, { name, host, caps }): ScriptIsle {
      const run = block.start({
        script: { source, name, language }, stdout: (bytes) => host.print(bytes),
        limits: { isleBytesMax: caps.bytesMax, cpuMsMax: caps.cpuMsMax, wallMsMax: caps.wallMsMax,
          graceMs: 100 },
        hostTools: Object.entries(host.tools).map(([tool, handler]) => ({ name: tool, description: "",
          input_schema: {}, handler })),
      });
      const ended = run.result.then((result) => result.value);
      return {
        ended, cancel: () => run.cancel(),
        handle: (kind: string, payload: Json, o = {}) => run.request(kind, payload, o),
        [Symbol.asyncDispose]: () => run[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: () => placing.close(),
  };
}
