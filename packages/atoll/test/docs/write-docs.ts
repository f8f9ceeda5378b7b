/** Writes the page that is printed from the program: `node packages/atoll/test/docs/write-docs.ts`. */
import { writeFileSync } from "node:fs";
import { renderCli } from "./cli-page.ts";

writeFileSync(new URL("../../../../docs/cli.md", import.meta.url), renderCli());
