/**
 * Whether grants of a member lie within those of its profile (spec: mob 3.1, 3.2). Pure: it judges what is written; what is not surely
 * within counts as wider.
 */
import { posix } from "node:path";

const GLOB = /[*?[]/;

/** Those of `grants` that allow what none of `profile` allows. */
export function widerGrants(grants: readonly string[], profile: readonly string[]): readonly string[] {
  return grants.filter((grant) => !profile.some((outer) => isWithin(grant, outer)));
}

function isWithin(grant: string, outer: string): boolean {
  if (grant === outer) return true;
  const [verb, pattern] = cut(grant);
  const [outerVerb, around] = cut(outer);
  if (verb !== outerVerb) return false;
  if (around === undefined) return true;
  if (pattern === undefined) return false;
  if (verb === "fs.read" || verb === "fs.write") return pathWithin(pattern, around);
  if (verb === "net") return hostWithin(pattern, around);
  // `PREFIX_*`, `server/*`; the name of a program has no pattern.
  return verb !== "run" && around.indexOf("*") === around.length - 1 && pattern.startsWith(around.slice(0, -1)) && pattern !== around.slice(0, -1);
}

function cut(grant: string): readonly [string, string | undefined] {
  const at = grant.indexOf(":");
  return at === -1 ? [grant, undefined] : [grant.slice(0, at), grant.slice(at + 1)];
}

/** A plain path and `path/**` cover all that is below; any other pattern only itself. */
function pathWithin(pattern: string, around: string): boolean {
  const root = posix.normalize(around.replace(/(\/\*\*)+$/, "")).replace(/\/$/, "");
  const path = posix.normalize(pattern);
  if (GLOB.test(root) || path.split("/").includes("..")) return false;
  return root === "." ? !path.startsWith("/") : path === root || path.startsWith(`${root}/`);
}

/** `host`, `host:port`, `*.host`. */
function hostWithin(pattern: string, around: string): boolean {
  const [host = "", port] = pattern.split(":");
  const [outer = "", outerPort, more] = around.split(":");
  if (more !== undefined || outerPort !== undefined && outerPort !== port) return false;
  if (outer === "*" || outer === host) return true;
  return outer.startsWith("*.") && host.endsWith(outer.slice(1)) && host.length > outer.length - 1;
}
