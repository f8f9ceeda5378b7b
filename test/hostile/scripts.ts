/** All hostile scripts, by subject. */
import { bombs } from "./scripts/bombs.ts";
import { bytecode } from "./scripts/bytecode.ts";
import { endings, floods } from "./scripts/floods.ts";
import { loops } from "./scripts/loops.ts";
import { memory } from "./scripts/memory.ts";
import { objects } from "./scripts/objects.ts";
import { patterns, slow } from "./scripts/patterns.ts";
import { recursion } from "./scripts/recursion.ts";
import { tables } from "./scripts/tables.ts";
import type { Hostile } from "./script.ts";

export const SUBJECTS: Readonly<Record<string, readonly Hostile[]>> = {
  loops, bombs, memory, "deep recursion": recursion, patterns, "slow C functions": slow, bytecode, "metatables and globals": tables,
  "ways to the host": objects, floods, "ends that are swallowed": endings,
};

export const HOSTILE: readonly Hostile[] = Object.values(SUBJECTS).flat();
