/** Writes the pages that are printed from the program: `node packages/atoll/test/docs/write-docs.ts`. */
import { writeFileSync } from "node:fs";
import { renderCli } from "./cli-page.ts";
import { renderMobLimits } from "./mob-limits-page.ts";
import { renderNodeLimits } from "./node-limits-page.ts";

writeFileSync(new URL("../../../../docs/cli.md", import.meta.url), renderCli());
writeFileSync(new URL("../../../../docs/node-limits.md", import.meta.url), renderNodeLimits());
writeFileSync(new URL("../../../../docs/mob/limits.md", import.meta.url), renderMobLimits());
