/** Puts every bridge into a fresh isle, in one order for both roles. */
import type { Images } from "../../thread/images.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { TYPE } from "../exports.ts";
import { installBus } from "./bus.ts";
import { installEventTx } from "./event-tx.ts";
import { installDeclared } from "./declared.ts";
import { giveGlobals } from "./globals.ts";
import { installIo } from "./io.ts";
import { installJson } from "./json.ts";
import { installLater } from "./later.ts";
import { installLog } from "./log.ts";
import { installMcp } from "./mcp.ts";
import { installOs } from "./os.ts";
import { givePackagePath, installRequire } from "./require.ts";
import { installRunner } from "./runner.ts";
import { installSql } from "./sql.ts";
import { installStoreTools } from "./store-tools.ts";
import { installTask } from "./task.ts";
import { installTime } from "./time.ts";
import { giveHostTools, installTool } from "./tool.ts";
import { installValidate } from "./validate.ts";

/** `images`: those of the thread; an isle that began with one gets the host's side of its bridges only. */
export function installFaces(isle: Tenant, images: Images): void {
  installLater(isle);
  installRunner(isle);
  installDeclared(isle);
  installJson(isle);
  installBus(isle);
  installEventTx(isle);
  installTool(isle);
  installMcp(isle);
  installSql(isle);
  installStoreTools(isle);
  installIo(isle);
  installOs(isle);
  installRequire(isle);
  installLog(isle);
  installTime(isle);
  installTask(isle);
  installValidate(isle);
  if (!isle.vm.state.copied) {
    isle.bootGlobals = globalNames(isle);
    images.built(isle);
  }
  // from here on: what belongs to this isle's block
  givePackagePath(isle);
  giveHostTools(isle);
  giveGlobals(isle);
}

function globalNames(isle: Tenant): string[] {
  const { state } = isle.vm;
  const L = state.main;
  const names: string[] = [];
  state.pushRef(L, 2);
  state.x.lua_pushnil(L);
  while (state.x.lua_next(L, -2) !== 0) {
    if (state.x.lua_type(L, -2) === TYPE.string) names.push(state.lossyText(L, -2));
    state.pop(L);
  }
  state.pop(L);
  return names;
}
