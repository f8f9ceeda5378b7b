/**
 * What op tests share: a real clock, a call as an isle would make it, a folder that goes away with the test.
 */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Clock } from "@atoll-run/core";
import type { OpCall, Ops, Value } from "../src/bridges/op.ts";
import { createGate, type Gate, type GateParts } from "../src/grants/create-gate.ts";
import type { Denied } from "../src/grants/denied.ts";
import { parseGrants } from "../src/grants/parse.ts";

export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** A call of the main isle. */
export function opCall(part: Partial<OpCall> = {}): OpCall {
  return {
    isle: "main", owner: "main:t1", signal: new AbortController().signal,
    trace: { trace_id: "", run_id: "", agent_id: "", agent_name: "" },
    callback: () => Promise.resolve(undefined), log: () => undefined, ...part,
  };
}

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into results of every shape
type Loose = any;

/** Calls an op as an isle would: the answer, as any table, is read freely by the test. */
export async function run(
  ops: Ops, name: string, args: readonly Value[], call: Partial<OpCall> = {},
): Promise<Loose> {
  const op = ops[name];
  if (op === undefined) throw new Error(`no op ${name}`);
  return await op(args, opCall(call));
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** A fresh folder, by its real path. */
export async function folder(t: TestContext): Promise<string> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "block-")));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A gate from grant texts; `undefined` = all. */
export function gateOf(
  list: readonly string[] | undefined, root: string, more: Partial<GateParts> = {},
): Gate & { readonly denials: readonly Denied[] } {
  const denials: Denied[] = [];
  const onDenied = (denial: Denied): void => void denials.push(denial);
  const parts = { projectRoot: root, cwd: root, onDenied, ...more };
  if (list === undefined) return { ...createGate({ ...parts, grants: "all" }), denials };
  const read = parseGrants(list);
  if (!read.ok) throw new Error(read.problems.join("\n"));
  return { ...createGate({ ...parts, grants: read.grants }), denials };
}
