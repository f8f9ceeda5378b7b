/** What the demo audits, where it writes, and whose model it may ask: from words and the environment. */
import { statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { misuse, type VerbCall } from "../tier/verb.ts";
import type { AuditPlan } from "./audit.ts";

const KEYS = [["ANTHROPIC_API_KEY", "anthropic"], ["OPENAI_API_KEY", "openai"]] as const;
/** Of the environment, what reaches a member: where models are asked, and where the compiled Lua is kept. */
const FOR_MEMBERS = /^(ANTHROPIC_|OPENAI_|HOME$|ATOLL_HOME$)/;

export interface AuditPlace extends AuditPlan {
  readonly state: string;
  /** Whose model is asked; absent: none is. */
  readonly provider?: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** Throws a misuse for a folder that is none, or that has no packages. */
export function placeOf(call: VerbCall): AuditPlace {
  const [dir, extra] = call.words;
  if (extra !== undefined) throw misuse(extra, "one folder at a time");
  const provider = KEYS.find(([name]) => (call.env[name] ?? "") !== "")?.[1];
  return {
    root: dir === undefined ? packagesHere() : packagesOf(dir),
    folder: resolve(call.flag("out")?.text ?? "atoll-audit"), state: resolve(call.flag("state")?.text ?? join(".atoll", "audit")),
    ...provider === undefined ? {} : { provider },
    variables: Object.fromEntries(Object.entries(call.env).filter(([name]) => FOR_MEMBERS.test(name))),
  };
}

/** A project, or the folder its packages are in. */
function packagesOf(dir: string): string {
  const folder = resolve(dir);
  if (!isFolder(folder)) throw misuse(dir, "is not a folder", "give the folder of a project, or its node_modules");
  if (isFolder(join(folder, "node_modules"))) return join(folder, "node_modules");
  if (basename(folder) === "node_modules") return folder;
  throw misuse(dir, "has no node_modules", "install its packages first (npm ci), or give another folder");
}

/** Those of the working folder, else those that Atoll itself stands on. */
function packagesHere(): string {
  const here = resolve("node_modules");
  if (isFolder(here)) return here;
  for (let at = import.meta.dirname; at !== dirname(at); at = dirname(at)) {
    if (basename(at) === "node_modules") return at;
    if (isFolder(join(at, "node_modules"))) return join(at, "node_modules");
  }
  throw misuse("DIR", "is missing: there is no node_modules here", "give the folder of a project");
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
