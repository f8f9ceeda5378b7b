/**
 * Run once by the build, in the built program: lays what each start would have to compile beside its code.
 */
import { type IsleSetup, loadLuaModule, ownThreads } from "@atoll-run/block/internal";

const setup: IsleSetup = {
  role: "main", shared: false, control: new SharedArrayBuffer(16), spent: new SharedArrayBuffer(8), globals: {}, packagePath: "",
  projectRoot: "/",
  // As plain numbers: an import of their table would cut the program into more files.
  limits: {
    bytesMax: 67_108_864, cpuMsMax: 10_000, wallMsMax: 10_000, sliceMsMax: 10_000, liveTasksMax: 1,
    sliceSharedMsMax: 100,
    giveWayMs: 5, syncWaitMsMax: 1_000, softStopMs: 100, taskAbortMsMax: 500,
  },
  agentId: "", scriptName: "prepare", textOnly: true, hostTools: [], taskGraceMs: 0, taskDriver: "async_fn",
};
const { module } = loadLuaModule();
const { thread } = ownThreads(module, { saveCode: import.meta.dirname }).place();
const failed = await new Promise<string | undefined>((done) => {
  thread.open(1, setup, (message) => {
    if (message.t === "opened") done(undefined);
    else if (message.t === "died") done(message.text);
  });
});
await thread.terminate();
if (failed !== undefined) throw new Error(failed);
