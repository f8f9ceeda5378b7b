export { luaFloat } from "@atoll-run/core";
export {
  inspectTools, runBlock, type RunConfig, startBlock, type StartedBlock, type ToolInfo,
} from "./compose/run-block.ts";
