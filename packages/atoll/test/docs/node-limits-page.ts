/** `docs/node-limits.md`, made from the limits of nodes, realms and stores: values as they are, reasons as they stand beside them. */
import { readFileSync } from "node:fs";
import { STATE_LIMITS } from "@atoll-run/core";
import { NODE_LIMITS } from "@atoll-run/node/internal";
import { REALM_LIMITS } from "@atoll-run/realm";
import { limitTable } from "./limit-table.ts";

const HEAD = `# Limits of nodes, realms and stores

Printed from \`packages/node/src/limits.ts\`, \`packages/realm/src/limits.ts\` and \`packages/core/src/state-batch.ts\` by
\`node packages/atoll/test/docs/write-docs.ts\`; a test compares them. Limits of a block: [limits.md](limits.md). Over a limit a
sender gets \`node.overloaded\`, \`node.too_large\` or \`node.storage_full\` with a time to wait; nothing is dropped in silence.
A node's are set by \`NodeConfig.limits\`, or in \`atoll.toml\` under their names in snake case: \`[limits.wire]\`,
\`connections_max = 500\` ([atoll-toml.md](atoll-toml.md)).`;

type Groups = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export function renderNodeLimits(): string {
  const source = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
  return `${[
    HEAD,
    ...section("Node", NODE_LIMITS, source("node/src/limits.ts")),
    ...section("Realm", REALM_LIMITS, source("realm/src/limits.ts")),
    ...section("Store", { state: STATE_LIMITS }, source("core/src/state-batch.ts")),
  ].join("\n\n")}\n`;
}

function section(title: string, groups: Groups, source: string): string[] {
  return Object.entries(groups).map(([group, limits]) => {
    const start = source.indexOf(`\n  ${group}: {`);
    return `## ${title}: ${group}\n\n${limitTable(limits, start < 0 ? source : source.slice(start, source.indexOf("\n  }", start)))}`;
  });
}
