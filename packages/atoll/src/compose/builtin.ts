/** Scripts that come with the package: a profile names them as `builtin:audit/scout.lua`. */
import { existsSync, globSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { nearest } from "@atoll-run/core";
import { mobError } from "@atoll-run/mob";

const PREFIX = "builtin:";
const FOLDER = fileURLToPath(new URL("../builtin/", import.meta.url));

/** Its path; undefined for a script that is the user's own. Throws `mob.definition_invalid` for one that does not come along. */
export function builtinScript(script: string): string | undefined {
  if (!script.startsWith(PREFIX)) return undefined;
  const name = script.slice(PREFIX.length);
  const path = join(FOLDER, name);
  if (path.startsWith(FOLDER) && existsSync(path)) return path;
  const known = globSync("*/*.lua", { cwd: FOLDER }).map((file) => `${PREFIX}${file.replaceAll(sep, "/")}`);
  const near = nearest(script, known);
  const hint = near === undefined ? "Scripts of your own are named by their path." : `Did you mean ${JSON.stringify(near)}?`;
  throw mobError("mob.definition_invalid", `there is no script ${JSON.stringify(script)}`, { facts: { script, known }, hint });
}
