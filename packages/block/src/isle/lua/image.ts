/**
 * The memory of a VM in which every bridge stands and no script has run. The next isles of the thread begin with a copy
 * of it instead of building the same again: all that Lua knows is in its memory. What is not (host functions by number,
 * references) comes out the same in every isle, since all are built in one order.
 */
import { TYPE } from "./exports.ts";
import type { LuaMachine } from "./machine.ts";
import type { MemoryImage } from "./memory-image.ts";

const PIECE_BYTES = 4096;
const zeros = Buffer.alloc(PIECE_BYTES);

/** To be called before anything of a script or its block is in the VM. */
export function takeImage(state: LuaMachine, bootGlobals: readonly string[]): MemoryImage {
  collect(state);
  return {
    pieces: piecesOf(Buffer.from(state.memory.bytes.buffer)), size: state.memory.bytes.length,
    main: state.main, scratch: state.scratch, random: randomState(state), refs: { ...state.refs }, bootGlobals,
  };
}

function piecesOf(memory: Buffer): MemoryImage["pieces"] {
  const pieces: { at: number; bytes: Uint8Array }[] = [];
  let from = -1;
  for (let at = 0; at <= memory.length; at += PIECE_BYTES) {
    const used = at < memory.length && zeros.compare(memory, at, at + PIECE_BYTES) !== 0;
    if (used && from < 0) from = at;
    if (used || from < 0) continue;
    pieces.push({ at: from, bytes: new Uint8Array(memory.subarray(from, at)) });
    from = -1;
  }
  return pieces;
}

/** What building left over shall not be copied. */
function collect(state: LuaMachine): void {
  pushGlobal(state, ["collectgarbage"]);
  state.x.lua_pcallk(state.main, 0, 0, 0, 0, 0);
}

/** It is the upvalue of `math.random`, a block of memory that never moves. */
function randomState(state: LuaMachine): number {
  const L = state.main;
  pushGlobal(state, ["math", "random"]);
  if (state.x.lua_getupvalue(L, -1, 1) === 0 || state.x.lua_type(L, -1) !== TYPE.userdata) {
    throw new Error("math.random has no state");
  }
  const at = state.x.lua_touserdata(L, -1);
  state.pop(L, 2);
  return at;
}

function pushGlobal(state: LuaMachine, path: readonly string[]): void {
  const L = state.main;
  state.pushRef(L, 2);
  for (const key of path) {
    state.pushText(L, key);
    state.x.lua_rawget(L, -2);
    state.x.lua_rotate(L, -2, 1);
    state.pop(L);
  }
}
