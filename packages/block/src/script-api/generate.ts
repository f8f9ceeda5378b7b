/** Everything that is made from the declaration: path below the root of the repository → text. */
import { CATALOGUE } from "./catalogue.ts";
import { writeCalls } from "./write-calls.ts";
import { writeStubs } from "./write-luacats.ts";
import { writePage } from "./write-page.ts";
import { writeScript, writeShapes } from "./write-typescript.ts";

export function generateAll(): Readonly<Record<string, string>> {
  const stubs = Object.entries(writeStubs(CATALOGUE)).map(([file, text]) => [`packages/atoll/stubs/${file}`, text]);
  return {
    "packages/block/src/bridges/api.ts": writeCalls(CATALOGUE),
    "packages/atoll/src/script.ts": writeScript(CATALOGUE),
    "packages/atoll/src/script-shapes.ts": writeShapes(CATALOGUE),
    "docs/lua-api.md": writePage(CATALOGUE),
    ...Object.fromEntries(stubs) as Record<string, string>,
  };
}
