/** A shell op with all its parts, and questions about processes. */
import { readFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import { until } from "@atoll-run/testkit";
import { Handles } from "../../src/bridges/handles.ts";
import type { Ops } from "../../src/bridges/op.ts";
import { shOps } from "../../src/bridges/sh.ts";
import { type ChildFact, ChildRunner } from "../../src/children/runner.ts";
import { clock, folder, gateOf, text } from "../ops.ts";

export interface Shell {
  readonly ops: Ops;
  readonly runner: ChildRunner;
  readonly facts: ChildFact[];
  readonly root: string;
  readonly printed: { stdout: string; stderr: string };
  readonly handles: Handles;
}

export interface ShellSetup {
  readonly grants?: readonly string[];
  readonly secrets?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly childrenLiveMax?: number;
  readonly childOutputBytesMax?: number;
}

let runs = 0;

export async function shell(t: TestContext, setup: ShellSetup = {}): Promise<Shell> {
  const root = await folder(t);
  const gate = gateOf(setup.grants, root, setup.secrets === undefined ? {} : { secrets: setup.secrets });
  const searchPath = process.env["PATH"] ?? "";
  const facts: ChildFact[] = [];
  const runner = new ChildRunner({
    clock, gate, searchPath, mark: `t${process.pid}-${++runs}`, env: () => (
      { PATH: searchPath, ...setup.env }
    ),
    onChild: (fact) => facts.push(fact),
  }, { childrenLiveMax: setup.childrenLiveMax ?? 8, childStopMs: 300 });
  const handles = new Handles(16);
  const printed = { stdout: "", stderr: "" };
  const ops = shOps({
    gate, runner, clock, handles, projectRoot: root,
    write: (stream, bytes) => void (printed[stream] += text(bytes)),
  }, { childOutputBytesMax: setup.childOutputBytesMax ?? 1_000_000, childMs: 30_000 });
  t.after(async () => {
    await handles.closeAll();
    await runner.killAll();
  });
  return { ops, runner, facts, root, printed, handles };
}

/** Gone, or a zombie that its adoptive parent has not collected. */
export async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return status === "" || /\) [ZX] /.test(status);
}

export async function pidIn(file: string): Promise<number> {
  return await until(
    async () => Number(await readFile(file, "utf8").catch(() => "")), { what: `a pid in ${file}` },
  );
}
