/** What tests of modules share: a project folder with files, gone with the test. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { folder } from "../ops.ts";

/** A project folder with files. */
export async function project(t: TestContext, files: Record<string, string | Uint8Array>): Promise<string> {
  const root = await folder(t);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}
