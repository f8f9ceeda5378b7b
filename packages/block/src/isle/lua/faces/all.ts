/** Puts every bridge into a fresh isle, in one order for both roles. */
import type { Tenant } from "../../thread/tenant.ts";
import { TYPE } from "../exports.ts";
import { installBus } from "./bus.ts";
import { installEventTx } from "./event-tx.ts";
import { installDeclared } from "./declared.ts";
import { installGlobals } from "./globals.ts";
import { installIo } from "./io.ts";
import { installJson } from "./json.ts";
import { installLater } from "./later.ts";
import { installLog } from "./log.ts";
import { installMcp } from "./mcp.ts";
import { installOs } from "./os.ts";
import { installRequire } from "./require.ts";
import { installRunner } from "./runner.ts";
import { installSql } from "./sql.ts";
import { installStoreTools } from "./store-tools.ts";
import { installTask } from "./task.ts";
import { installTime } from "./time.ts";
import { installTool } from "./tool.ts";
import { installValidate } from "./validate.ts";

export function installFaces(isle: Tenant): void {
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
  isle.bootGlobals = globalNames(isle);
  installGlobals(isle);
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
