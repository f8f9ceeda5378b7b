/**
 * A lock that `npm ci` accepts on every machine. npm leaves an optional package of another platform out of
 * the lock when the registry it asks has no such version, and then refuses that lock: each optional package
 * needs an entry.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Finding, Tree } from "./tree.ts";

export interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lock { readonly packages: Readonly<Record<string, LockEntry>> }

export interface Missing { readonly name: string; readonly version: string; readonly dev: boolean }

/** Optional packages that some package asks for and that have no entry. */
export function findMissing(lock: Lock): readonly Missing[] {
  const missing = new Map<string, Missing>();
  for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const nested = `${path}/node_modules/${name}`;
      if (`node_modules/${name}` in lock.packages || nested in lock.packages) continue;
      missing.set(name, { name, version, dev: dev === true });
    }
  }
  return [...missing.values()];
}

export function checkLock({ root }: Tree): readonly Finding[] {
  const file = join(root, "package-lock.json");
  if (!existsSync(file)) return [];
  const missing = findMissing({ packages: {}, ...JSON.parse(readFileSync(file, "utf8")) as Partial<Lock> });
  return missing.map(({ name }) => ({
    file: "package-lock.json", line: 1, remedy: "npm run lock",
    what: `no entry for the optional package ${name}, so npm ci refuses the lock`,
  }));
}
