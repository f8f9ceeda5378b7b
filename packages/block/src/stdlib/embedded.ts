/**
 * The blocks that come with the program: Lua source by module name. `require` asks them last, so a file
 * always wins.
 */
export const embeddedBlocks: ReadonlyMap<string, string> = new Map();
