/** Which files `npm test` runs. */
import { globSync } from "node:fs";

const PLACES = [
  "packages/*/test/**/*.test.ts", "drivers/*/test/**/*.test.ts", "tools/test/**/*.test.ts",
  "test/**/*.test.ts", "examples/**/*.test.ts",
];

/**
 * Test files below `root` with forward slashes; with patterns only those whose path has one of them in it.
 */
export function findTests(root: string, patterns: readonly string[]): readonly string[] {
  const files = globSync(PLACES, { cwd: root, exclude: ["**/node_modules/**"] })
    .map((file) => file.replaceAll("\\", "/"));
  const wanted = patterns.map((pattern) => pattern.replace(/^\.\//, ""));
  return files.filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part))).sort();
}
