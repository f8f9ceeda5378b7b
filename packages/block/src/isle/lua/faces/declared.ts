/** Functions that are plain calls: of a host op, or of a pure function in this thread. */
import { API } from "../../../bridges/api.ts";
import { JsonText, type Value } from "../../../bridges/op.ts";
import { pureArgs, pureFns } from "../../../pure/fns.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { readArgs, readCall, toArgs } from "../arguments.ts";
import type { HostFunction } from "../vm.ts";
import { pushTable } from "./face.ts";

export function installDeclared(isle: Tenant): void {
  const { vm } = isle;
  const L = vm.state.main;
  let open = "";
  for (const entry of PREPARED) {
    if (entry.mainOnly && isle.setup.role !== "main") continue;
    const number = vm.define(entry.pure === undefined ? hostCall(isle, entry) : pureCall(isle, entry, entry.pure));
    if (vm.state.copied) continue;
    if (entry.table !== open) {
      if (open !== "") vm.state.pop(L);
      pushTable(isle, entry.table.split("."));
      open = entry.table;
    }
    vm.setNumbered(L, entry.key, number);
  }
  if (open !== "") vm.state.pop(L);
}

interface Prepared {
  readonly name: string;
  readonly table: string;
  readonly key: string;
  readonly args: ReturnType<typeof toArgs>;
  readonly mainOnly: boolean;
  readonly pure?: (args: readonly Value[]) => Value | JsonText;
}

const PREPARED: readonly Prepared[] = [
  ...API.map((f) => ({ name: f.name, args: toArgs(f.args), mainOnly: f.isle === "main" })),
  ...Object.entries(pureFns).map(([name, pure]) =>
    ({ name, args: toArgs(pureArgs[name] ?? []), mainOnly: false, pure })),
].map((f) => {
  const dot = f.name.lastIndexOf(".");
  return { ...f, table: f.name.slice(0, dot), key: f.name.slice(dot + 1) };
})
  .sort((a, b) => (a.table < b.table ? -1 : a.table > b.table ? 1 : 0));

function hostCall(isle: Tenant, entry: Prepared): HostFunction {
  const short = entry.name.replace(/^std\./, "");
  return (L) => {
    const { args, functions } = readCall(isle.reader, L, short, entry.args);
    return isle.call(L, entry.name, args, { functions });
  };
}

function pureCall(
  isle: Tenant, entry: Prepared, call: (args: readonly Value[]) => Value | JsonText,
): HostFunction {
  const short = entry.name.replace(/^std\./, "");
  return (L) => {
    const result = call(readArgs(isle.reader, L, short, entry.args));
    if (result instanceof JsonText) {
      isle.json.decodeText(L, result.text, "J", short);
      return 1;
    }
    isle.vm.state.push(L, result);
    return 1;
  };
}
