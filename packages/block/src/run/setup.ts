/** What an isle is opened with, from the config of its run. */
import type { BlockConfig } from "../config.ts";
import { packagePath } from "../modules/search.ts";
import type { IsleSetup, Role } from "../isle/thread/protocol.ts";
import { type KitParts, searchDirs } from "./kit.ts";
import { type Prepared, toText } from "./prepare.ts";

/** What a task gets to end after a timeout, milliseconds; a setting that is no number counts as not given. */
const TASK_GRACE_MS = 1_000;
const DRIVERS = new Set(["async_fn", "async", "coroutine"]);

export function isleSetup(
  config: BlockConfig, p: Prepared, o: { parts: Pick<KitParts, "programBlocksDir">; role: Role; control: SharedArrayBuffer; shared: boolean; agentId: string },
): Omit<IsleSetup, "spent"> {
  const restricted = p.grants !== "all";
  const grace = p.env["ATOLL_TASK_GRACE_MS"] ?? p.env["AGENT_BLOCK_TASK_GRACE_MS"] ?? "";
  const driver = p.env["ATOLL_TASK_DRIVER"] ?? p.env["AGENT_BLOCK_TASK_DRIVER"] ?? "";
  return {
    role: o.role, engine: p.engine, shared: o.shared, control: o.control,
    limits: {
      bytesMax: p.limits.isleBytesMax, cpuMsMax: p.limits.cpuMsMax, wallMsMax: p.limits.wallMsMax,
      sliceMsMax: p.limits.sliceMsMax, sliceSharedMsMax: p.limits.sliceSharedMsMax, giveWayMs: p.limits.giveWayMs,
      syncWaitMsMax: p.limits.syncWaitMsMax, softStopMs: p.limits.softStopMs, taskAbortMsMax: p.limits.taskAbortMsMax,
      liveTasksMax: p.limits.liveTasksMax,
    },
    globals: p.globals, packagePath: packagePath(searchDirs(o.parts, p)),
    projectRoot: p.projectRoot, agentId: o.agentId, scriptName: p.name, textOnly: restricted, trace: p.trace,
    hostTools: (config.hostTools ?? []).map((tool) => ({
      name: tool.name, description: tool.description, input_schema: toText(tool.input_schema, `hostTools.${tool.name}.input_schema`),
      ...(tool.group === undefined ? {} : { group: tool.group }),
    })),
    taskGraceMs: /^\d+$/.test(grace) ? Number(grace) : TASK_GRACE_MS, taskDriver: DRIVERS.has(driver) ? driver : "async_fn",
  };
}
