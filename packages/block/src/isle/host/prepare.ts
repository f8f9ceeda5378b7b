/** Run once by the build, in the built code: compiles what each thread would have to compile at its start. */
import { join } from "node:path";
import { CONTROL, type FromThread, type IsleSetup } from "../thread/protocol.ts";
import { loadLuaModule } from "../lua-module.ts";
import { ownThreads } from "./threads.ts";

/** Plain numbers: an import of their table would cut a bundled program into more files. */
const SETUP: IsleSetup = {
  role: "main", shared: false, control: new SharedArrayBuffer(CONTROL.words * 4), spent: new SharedArrayBuffer(8), globals: {},
  packagePath: "", projectRoot: "/", agentId: "", scriptName: "prepare", textOnly: true, hostTools: [],
  limits: {
    bytesMax: 67_108_864, cpuMsMax: 10_000, wallMsMax: 10_000, sliceMsMax: 10_000, liveTasksMax: 1,
    sliceSharedMsMax: 100, giveWayMs: 5, syncWaitMsMax: 1_000, softStopMs: 100, taskAbortMsMax: 500,
  },
  taskGraceMs: 0, taskDriver: "async_fn",
};

/** Writes the bytecode of the isles' own Lua code. `folder`: where the code of the threads lies. */
export async function prepare(folder = join(import.meta.dirname, "../thread")): Promise<void> {
  const { thread } = ownThreads(loadLuaModule().module, { saveCode: folder }).place();
  const opened = Promise.withResolvers<void>();
  thread.open(1, SETUP, (message: FromThread) => {
    if (message.t === "opened") opened.resolve();
    else if (message.t === "died") opened.reject(new Error(message.text));
  });
  await opened.promise.finally(() => thread.terminate());
}
