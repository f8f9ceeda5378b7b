/** The guard of a host: asked after the grants and before the call; it may allow, refuse, answer or park it. */
import type { Json } from "@atoll-run/core";
import { type Op, type OpCall, type Ops, JsonText, type Value } from "../bridges/op.ts";
import type { Guard } from "../config.ts";
import { blockError } from "../errors.ts";
import { toText } from "./prepare.ts";

/** The grant an op needs, from its arguments; ops without one are always allowed. */
const NEEDS: Readonly<Record<string, (args: readonly Value[]) => string>> = {
  "sh.exec": () => "run:sh", "os.execute": () => "run:sh", "io.popen.open": () => "run:sh",
  "http.request": ([url]) => `net:${hostOf(url)}`,
  ...Object.fromEntries(["write", "write_binary", "append", "mkdir", "remove"].map((fn) => [`std.fs.${fn}`, writes])),
  ...Object.fromEntries(["read", "read_binary", "walk", "glob", "list", "stat", "metadata"].map((fn) => [`std.fs.${fn}`, reads])),
  "std.json.read_file": reads, "std.json.write_file": writes, "os.remove": writes, "os.rename": writes,
  "io.open": ([path, mode]) => (mode === undefined || mode === "r" || mode === "rb" ? `fs.read:${String(path)}` : `fs.write:${String(path)}`),
  "mesh.send": ([to]) => `mesh:${String(to)}`, "mesh.request": ([to]) => `mesh:${String(to)}`,
  "tool.host": ([name]) => `tool:${String(name)}`,
};

function reads([path]: readonly Value[]): string {
  return `fs.read:${String(path)}`;
}

function writes([path]: readonly Value[]): string {
  return `fs.write:${String(path)}`;
}

function hostOf(url: Value): string {
  return URL.parse(String(url))?.host ?? String(url);
}

/** The same ops with the guard before those that need a grant. */
export function guarded(ops: Ops, guard: Guard | undefined): Ops {
  if (guard === undefined) return ops;
  const wrap = (name: string, op: Op): Op => {
    const need = NEEDS[name];
    return need === undefined ? op : (args, call) => ask(guard, { name, grant: need(args), op }, args, call);
  };
  return Object.fromEntries(Object.entries(ops).map(([name, op]) => [name, wrap(name, op)]));
}

async function ask(
  guard: Guard, o: { name: string; grant: string; op: Op }, args: readonly Value[], call: OpCall,
): Promise<Value | JsonText> {
  const tool = o.name === "tool.host" ? { tool: String(args[0]) } : {};
  const verdict = await guard({ grant: o.grant, ...tool, args: plain(args), signal: call.signal });
  if (verdict === "allow") return o.op(args, call);
  if ("answer" in verdict) return new JsonText(toText(verdict.answer, "guard answer"));
  if ("park" in verdict) {
    throw blockError("grant.denied", `denied: ${o.name} waits for ${verdict.park}`, { facts: { grant: o.grant, park: verdict.park } });
  }
  throw blockError("grant.denied", `denied: ${o.name} (${verdict.deny}); refused by the host's guard`, {
    facts: { grant: o.grant, reason: verdict.deny },
  });
}

/** Arguments as the guard may see them: bytes as text. */
function plain(args: readonly Value[]): Json {
  return args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg).toString() : (arg ?? null) as Json));
}
