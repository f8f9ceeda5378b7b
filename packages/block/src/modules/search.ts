/**
 * Where `require` looks (spec: block 5.11). Takes directories and a module name; gives `package.path`, the
 * files it means, and the text when none is there; promises that files win over embedded blocks, since
 * those are asked last; refuses nothing; never looks at a disk.
 */

/** What Lua itself searches when nobody says otherwise. */
const LUA_DEFAULT = "/usr/local/share/lua/5.4/?.lua;/usr/local/share/lua/5.4/?/init.lua;"
  + "/usr/local/lib/lua/5.4/?.lua;/usr/local/lib/lua/5.4/?/init.lua;./?.lua;./?/init.lua";

export interface SearchDirs {
  /** Directory of the script; for an inline script the project root. */
  readonly scriptDir: string;
  readonly projectRoot: string;
  /** `blocks/` beside the program, if there is one. */
  readonly programBlocksDir?: string;
}

/**
 * The `package.path` of an isle, most special first. Lua cannot quote `;` and `?`: a directory with one of
 * them in its name is searched in vain.
 */
export function packagePath({ scriptDir, projectRoot, programBlocksDir }: SearchDirs): string {
  const dirs = [scriptDir, `${trimSlash(projectRoot)}/blocks`];
  if (programBlocksDir !== undefined) dirs.push(programBlocksDir);
  return [...dirs.flatMap(templatesOf), LUA_DEFAULT].join(";");
}

/** The files that `name` may be in, in order: dots of the name are directories. */
export function candidateFiles(path: string, name: string): readonly string[] {
  const file = name.replaceAll(".", "/");
  const templates = path.split(";").filter((template) => template !== "");
  return templates.map((template) => template.split("?").join(file));
}

/** Name of the chunk of an embedded block, as tracebacks show it. */
export function embeddedChunkName(name: string): string {
  return `@embedded:blocks/${name}/init.lua`;
}

/** The text of the error that `require` raises after every searcher failed. */
export function notFoundText(name: string, files: readonly string[]): string {
  const missing = files.map((file) => `no file '${file}'`);
  const tried = [`no field package.preload['${name}']`, ...missing, embeddedMiss(name)];
  return `module '${name}' not found:${tried.map((line) => `\n\t${line}`).join("")}`;
}

/** What the last searcher says when it has no such block. */
export function embeddedMiss(name: string): string {
  return `no embedded block '${name}'`;
}

function templatesOf(dir: string): readonly string[] {
  return [`${trimSlash(dir)}/?.lua`, `${trimSlash(dir)}/?/init.lua`];
}

/** The root becomes "", so that a slash can follow. */
function trimSlash(dir: string): string {
  return dir.endsWith("/") ? dir.slice(0, -1) : dir;
}
