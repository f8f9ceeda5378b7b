/**
 * The blocks that come with the program, as Lua sources by module name. `require` asks them last, so a file
 * always wins. A source is read when a script first requires it; nothing of it lies in an isle before.
 * A block is called with its name, its chunk name and the doors of `own-doors.ts`.
 */
import { readFile } from "node:fs/promises";

export type EmbeddedBlock = () => Promise<{ readonly source: string }>;

const FOLDER = new URL("./standard/", import.meta.url);

/** A file of the folder; the parts of a block are modules of their own, with a dot in their names. */
function file(path: string): EmbeddedBlock {
  return async () => ({ source: await readFile(new URL(path, FOLDER), "utf8") });
}

export const EMBEDDED_BLOCKS: Readonly<Record<string, EmbeddedBlock>> = {
  "agent": file("agent.lua"),
  "coding_agent": file("coding_agent.lua"),
  "compile_loop": file("compile_loop/init.lua"),
  "compile_loop.edits": file("compile_loop/edits.lua"),
  "compile_loop.files": file("compile_loop/files.lua"),
  "compile_loop.loop": file("compile_loop/loop.lua"),
  "compile_loop.model": file("compile_loop/model.lua"),
  "compile_loop.prompts": file("compile_loop/prompts.lua"),
  "lshape": file("lshape/init.lua"),
  "lshape.check": file("lshape/check.lua"),
  "lshape.luacats": file("lshape/luacats.lua"),
  "lshape.reflect": file("lshape/reflect.lua"),
  "lshape.t": file("lshape/t.lua"),
  "session": file("session.lua"),
};
