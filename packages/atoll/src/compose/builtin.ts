/** Scripts that come with the package: a profile names them as `builtin:audit/scout.lua`. */
import { existsSync, globSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
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
  throw mobError("mob.definition_invalid", `there is no ${script}`, { facts: { script, known }, hint: "Scripts of your own are named by their path." });
}
