/** The direction between the folders of one package, where it is more than one room. */
import { posix } from "node:path";
import type { ImportFact } from "./facts.ts";
import type { SourceFile } from "./tree.ts";

interface Inside {
  /** Folders; each may use those of earlier lines, those of one line know each other by seams only. Others come last. */
  readonly order: readonly (readonly string[])[];
  /** Files without effects that any folder may use: words, folds, plans. */
  readonly seams: readonly string[];
  /** Files beside the folders that put them together: no folder uses them. */
  readonly top: readonly string[];
}

const INSIDE: Readonly<Record<string, Inside>> = {
  "packages/mob/src": {
    order: [
      ["observe"], ["blobs", "ledger"], ["definition", "edges", "roster", "sessions"], ["approvals", "flows", "usage"], ["bridge", "agent"], ["member"], ["reconcile", "verify"],
    ],
    seams: [
      "approvals/approval.ts", "approvals/arguments.ts", "blobs/ref.ts", "definition/applied.ts", "definition/mode.ts", "edges/plan.ts", "flows/run.ts", "member/life.ts", "member/turn.ts", "sessions/record.ts", "sessions/taint.ts",
      "usage/usage.ts",
    ],
    top: ["mob.ts", "rooms.ts", "index.ts", "internal.ts"],
  },
};

/** Types may go any way: cycles of files are looked for elsewhere. */
export function checkInside(file: SourceFile, { specifier, typeOnly }: ImportFact): readonly [what: string, remedy: string] | undefined {
  const home = Object.keys(INSIDE).find((dir) => file.path.startsWith(`${dir}/`));
  const rules = home === undefined ? undefined : INSIDE[home];
  if (home === undefined || rules === undefined || typeOnly || file.isTest) return undefined;
  const from = posix.relative(home, file.path);
  const to = posix.relative(home, posix.join(posix.dirname(file.path), specifier));
  if (folderOf(from) === folderOf(to) || rules.seams.includes(to) || placeOf(to, rules) < placeOf(from, rules)) return undefined;
  return [`${from} imports ${to}, against the direction inside ${home}`,
    "take it as a part, or put what has no effects into a file that tools/tidy/rooms-inside.ts names as a seam"];
}

function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

/** Files beside the folders come first, unless they are the top. */
function placeOf(path: string, { order, top }: Inside): number {
  const folder = folderOf(path);
  if (folder === "") return top.includes(path) ? Infinity : -1;
  const place = order.findIndex((line) => line.includes(folder));
  return place === -1 ? order.length : place;
}
