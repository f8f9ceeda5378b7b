/** What an isle is opened with, from the config of its run. */
import type { BlockConfig } from "../config.ts";
import { packagePath } from "../modules/search.ts";
import type { IsleSetup, Role } from "../isle/thread/protocol.ts";
import { type Prepared, toText } from "./prepare.ts";

export function isleSetup(
  config: BlockConfig, p: Prepared, o: { role: Role; control: SharedArrayBuffer; shared: boolean; agentId: string },
): IsleSetup {
  const restricted = p.grants !== "all";
  return {
    role: o.role, shared: o.shared, control: o.control,
    limits: {
      bytesMax: p.limits.isleBytesMax, cpuMsMax: p.limits.cpuMsMax, wallMsMax: p.limits.wallMsMax,
      sliceMsMax: p.limits.sliceMsMax, liveTasksMax: p.limits.liveTasksMax,
    },
    globals: p.globals, packagePath: packagePath({ scriptDir: p.scriptDir, projectRoot: p.projectRoot }),
    projectRoot: p.projectRoot, agentId: o.agentId, scriptName: p.name, textOnly: restricted,
    hostTools: (config.hostTools ?? []).map((tool) => ({
      name: tool.name, description: tool.description, input_schema: toText(tool.input_schema, `hostTools.${tool.name}.input_schema`),
      ...(tool.group === undefined ? {} : { group: tool.group }),
    })),
    taskGraceMs: Number(p.env["ATOLL_TASK_GRACE_MS"] ?? p.env["AGENT_BLOCK_TASK_GRACE_MS"] ?? 1000),
    taskDriver: p.env["ATOLL_TASK_DRIVER"] ?? p.env["AGENT_BLOCK_TASK_DRIVER"] ?? "async_fn",
  };
}
