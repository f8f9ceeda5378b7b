/**
 * `npm run lock`: brings package-lock.json up to date and completes it for machines of other kinds, whose
 * optional packages the registry at hand may not have: their entries get the platform that the name says, and
 * no checksum.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findMissing, type Lock, type LockEntry, type Missing } from "./tidy/lock.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
const TIMEOUT_MS = 120_000;
const OS: Readonly<Record<string, string>> = { win: "win32" };
const CPU: Readonly<Record<string, string>> = { armv7: "arm" };
const LIBC: Readonly<Record<string, string>> = { musl: "musl", gnu: "glibc" };
const SYSTEMS = new Set([
  "aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win", "win32",
]);
const PROCESSORS = new Set([
  "arm", "arm64", "armv7", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64",
]);

/** The lock with an entry for every optional package. Throws when a name does not tell its platform. */
export function complete(lock: Lock): Lock {
  const filled: Record<string, LockEntry> = { ...lock.packages };
  for (const missing of findMissing(lock)) filled[`node_modules/${missing.name}`] = toEntry(missing);
  const packages = Object.entries(filled);
  return { ...lock, packages: Object.fromEntries(packages.sort(([a], [b]) => a < b ? -1 : 1)) };
}

function toEntry({ name, version, dev }: Missing): LockEntry {
  const words = (name.split("/").at(-1) ?? "").split("-");
  const system = words.find((word) => SYSTEMS.has(word));
  const cpu = words.find((word) => PROCESSORS.has(word));
  if (!cpu || !/^\d+\.\d+\.\d+/.test(version)) {
    throw new Error(`${name}@${version}: the registry has it not, and the name tells no platform or no version`);
  }
  const libc = system === "linux" ? LIBC[words.at(-1)?.replace(/eabi\w*$/, "") ?? ""] : undefined;
  return {
    version, ...libc ? { libc: [libc] } : {}, cpu: [CPU[cpu] ?? cpu], ...dev ? { dev } : {}, optional: true,
    ...system ? { os: [OS[system] ?? system] } : {},
  };
}

export async function main(args: readonly string[], root = ROOT): Promise<number> {
  if (args.length > 0) {
    console.error("usage: npm run lock");
    return 2;
  }
  execFileSync("npm", ["install", "--package-lock-only", "--no-audit", "--no-fund"], {
    cwd: root, stdio: ["ignore", "ignore", "inherit"], timeout: TIMEOUT_MS,
  });
  const file = join(root, "package-lock.json");
  const lock = JSON.parse(readFileSync(file, "utf8")) as Lock;
  const missing = findMissing(lock);
  writeFileSync(file, `${JSON.stringify(complete(lock), null, 2)}\n`);
  console.log(`package-lock.json is up to date, ${missing.length} packages of other machines filled in`);
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
