/** The file ops over a folder of their own. */
import type { TestContext } from "node:test";
import { seededIds } from "@atoll-run/testkit";
import { fsOps } from "../../src/bridges/fs.ts";
import { Handles } from "../../src/bridges/handles.ts";
import type { Ops } from "../../src/bridges/op.ts";
import { clock, folder, gateOf } from "../ops.ts";

export interface Disk {
  readonly root: string;
  readonly ops: Ops;
  readonly handles: Handles;
}

export interface DiskSetup {
  readonly grants?: readonly string[] | undefined;
  readonly root?: string;
  readonly isleBytesMax?: number;
  readonly openMax?: number;
}

let seed = Date.now();

export async function disk(t: TestContext, setup: DiskSetup = {}): Promise<Disk> {
  const root = setup.root ?? await folder(t);
  const handles = new Handles(setup.openMax ?? 8);
  const ops = fsOps({
    gate: gateOf(setup.grants, root), clock, ids: seededIds(seed++), handles, tmpDir: root,
  },
    { walkDepthMax: 5, walkEntriesMax: 20, isleBytesMax: setup.isleBytesMax ?? 10_000_000 });
  t.after(() => handles.closeAll());
  return { root, ops, handles };
}
