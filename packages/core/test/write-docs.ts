/** Writes the pages that are printed from core: `node packages/core/test/write-docs.ts`. */
import { writeFileSync } from "node:fs";
import { renderLimits } from "@atoll-run/core";

writeFileSync(new URL("../../../docs/limits.md", import.meta.url), renderLimits());
