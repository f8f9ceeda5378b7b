/** `docs/mob/limits.md`, made from the limits of mobs. */
import { readFileSync } from "node:fs";
import { FIXED_LIMITS, MOB_LIMITS } from "@atoll-run/mob";
import { limitTable } from "./limit-table.ts";

const HEAD = `# Limits of a mob

Printed from \`packages/mob/src/limits.ts\` by \`node packages/atoll/test/docs/write-docs.ts\`; a test compares them. Who is over one gets
\`mob.overloaded\`, \`mob.too_large\` or the code that stands with it in [errors](../errors.md), with a time to wait where waiting helps; nothing that
was accepted is dropped. Limits of the scripts of members: [limits](../limits.md); of their mailboxes: [node-limits](../node-limits.md).

A definition sets them under their names, in milliseconds and bytes:

\`\`\`toml
[limits]
turnsMax = 1000
idleMs = 60000
\`\`\``;

export function renderMobLimits(): string {
  const source = readFileSync(new URL("../../../mob/src/limits.ts", import.meta.url), "utf8");
  const of = (fixed: boolean): string => limitTable(Object.fromEntries(Object.entries(MOB_LIMITS).filter(([name]) => FIXED_LIMITS.has(name) === fixed)), source);
  return `${[HEAD, of(false), "## The same in every mob", of(true)].join("\n\n")}\n`;
}
