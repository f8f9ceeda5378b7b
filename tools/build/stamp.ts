/** Tells whether the build is newer than what it was made from. */
import { globSync, mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const SOURCES = [
  "{packages,drivers}/*/{src,bin}/**/*", "{packages,drivers}/*/package.json", "tools/build/*",
  "tools/build.ts", "tsconfig.json", "package-lock.json",
];

/**
 * True when a build was finished and no source has been written since it began. Deleted sources are not seen.
 */
export function isBuilt(root: string): boolean {
  const built = statSync(stampOf(root), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return built > 0 && globSync(SOURCES, { cwd: root })
    .every((file) => Math.floor(statSync(join(root, file)).mtimeMs) <= built);
}

/** Marks the build as finished; `began` is the time its sources were read. */
export function markBuilt(root: string, began: Date): void {
  mkdirSync(dirname(stampOf(root)), { recursive: true });
  writeFileSync(stampOf(root), "");
  utimesSync(stampOf(root), began, began);
}

function stampOf(root: string): string {
  return join(root, "build", "stamp");
}
