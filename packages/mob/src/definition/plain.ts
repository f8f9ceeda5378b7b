/** Whether a tree can be read at all: what comes after may walk it as deep as it goes. */
import type { Path } from "./problems.ts";

/** Tables and lists in each other. */
const DEPTH_MAX = 64;

export interface Odd {
  readonly path: Path;
  readonly text: string;
}

/** The first thing that no definition has: it is nested without end, or named like what every object has. */
export function findOdd(given: unknown): Odd | undefined {
  const left: { readonly value: unknown; readonly path: Path }[] = [{ value: given, path: [] }];
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    const { value, path } = one;
    if (typeof value !== "object" || value === null) continue;
    if (path.length >= DEPTH_MAX) return { path: path.slice(0, 4), text: `is nested deeper than ${DEPTH_MAX}` };
    for (const [key, item] of Object.entries(value)) {
      if (key === "__proto__") return { path: [...path, key], text: "nothing is named so" };
      left.push({ value: item, path: [...path, Array.isArray(value) ? Number(key) : key] });
    }
  }
  return undefined;
}
