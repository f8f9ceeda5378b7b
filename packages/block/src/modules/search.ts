/**
 * Where `require` looks (spec: block 5.11). Takes directories; gives `package.path`; promises that files win
 * over embedded blocks, since those are asked last; refuses nothing; never looks at a disk.
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
export function packagePath(dirs: SearchDirs): string {
  return [...moduleDirs(dirs).flatMap(templatesOf), LUA_DEFAULT].join(";");
}

/** The directories whose modules belong to the script: it may load them whatever it is granted. */
export function moduleDirs({ scriptDir, projectRoot, programBlocksDir }: SearchDirs): readonly string[] {
  const dirs = [scriptDir, `${trimSlash(projectRoot)}/blocks`];
  return programBlocksDir === undefined ? dirs : [...dirs, programBlocksDir];
}

/** Name of the chunk of an embedded block, as tracebacks show it. */
export function embeddedChunkName(name: string): string {
  return `@embedded:blocks/${name}/init.lua`;
}

function templatesOf(dir: string): readonly string[] {
  return [`${trimSlash(dir)}/?.lua`, `${trimSlash(dir)}/?/init.lua`];
}

/** The root becomes "", so that a slash can follow. */
function trimSlash(dir: string): string {
  return dir.endsWith("/") ? dir.slice(0, -1) : dir;
}
