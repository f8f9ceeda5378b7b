/**
 * The functions that the rewriter appends, assembled by hand. They stand between Lua and the host so that no
 * JavaScript frame is ever under `pcall`: that makes a host exception uncatchable for Lua and lets a running
 * VM be suspended (JSPI).
 */
import { signed, unsigned } from "./bytes.ts";
import { ADDED_IMPORTS, type Layout, type Signature } from "./layout.ts";
import type { ModuleParts } from "./module.ts";

/** Pseudo-index of the registry: −LUAI_MAXSTACK − 1000; the first upvalue of a C closure is one below. */
export const REGISTRY = -1_001_000;

const END = 0x0b;
const local = { get: (i: number) => [0x20, ...unsigned(i)], set: (i: number) => [0x21, ...unsigned(i)],
  tee: (i: number) => [0x22, ...unsigned(i)] };
const constant = (n: number): number[] => [0x41, ...signed(n)];
const IF = [0x04, 0x40];
const RETURN = [0x0f];

export interface Shim {
  readonly type: number;
  readonly body: readonly number[];
}

export function shims(parts: ModuleParts, layout: Layout): Shim[] {
  const call = (index: number): number[] => [0x10, ...unsigned(index)];
  const lua = (name: string): number[] => call(layout.moved(parts.exported[name] as number));
  const host = (name: (typeof ADDED_IMPORTS)[number]): number[] =>
    call(layout.firstAddedImport + ADDED_IMPORTS.indexOf(name));
  const getGlobal = (i: number): number[] => [0x23, ...unsigned(i)];
  const setGlobal = (i: number): number[] => [0x24, ...unsigned(i)];
  const shim = (type: Signature, locals: number, ...code: number[][]): Shim => {
    const body = [...(locals > 0 ? [1, ...unsigned(locals), 0x7f] : [0]), ...code.flat(), END];
    return { type: layout.type[type], body: [...unsigned(body.length), ...body] };
  };
  // lua_resume itself, not the wrapper that `moved` gives
  const rawResume = (parts.exported["lua_resume"] as number) + ADDED_IMPORTS.length;
  return [
    // poll: the host gives the next budget, or 0 to be suspended. What it throws matches no catch below, so it
    // ends the VM.
    shim("none", 0, host("host_poll"), setGlobal(layout.budget), getGlobal(layout.budget), [0x45], IF,
      host("host_yield"),
      setGlobal(layout.budget), [END]),
    // dispatch(L): every host function is this closure with its number as upvalue 1. The host answers:
    //   n >= 0: n results are on the stack; -1: the error value is on top; -2: suspend, values to yield are on
    //   the stack
    shim("intToInt", 1, local.get(0), local.get(0), constant(REGISTRY - 1), constant(0),
      lua("lua_tointegerx"), [0xa7], host("host_call"),
      local.tee(1), constant(0), [0x4e], IF, local.get(1), RETURN, [END],
      local.get(1), constant(-1), [0x46], IF, local.get(0), lua("lua_error"), RETURN, [END],
      local.get(0), local.get(0), lua("lua_gettop"), constant(0), constant(layout.slots.resumed),
      lua("lua_yieldk")),
    // resumed(L, status, ctx): a suspended host call goes on; the host pushes what it waited for, or an error
    // (-1)
    shim("int3ToInt", 1, local.get(0), host("host_resume"), local.tee(3), constant(0), [0x48], IF,
      local.get(0), lua("lua_error"), RETURN,
      [END], local.get(3)),
    // hook(L, ar): the host may push an error value; then it is raised in the running thread
    shim("int2", 1, local.get(0), lua("lua_gettop"), local.set(2), local.get(0), host("host_hook"),
      local.get(0), lua("lua_gettop"),
      local.get(2), [0x4a], IF, local.get(0), lua("lua_error"), [0x1a], [END]),
    // writer(L, p, n, ud) for lua_dump
    shim("int4ToInt", 0, local.get(1), local.get(2), local.get(3), host("host_write")),
    // pushInteger(L, f64): an integer without a BigInt on the JavaScript side
    shim("intFloat", 0, local.get(0), local.get(1), [0xb0], lua("lua_pushinteger")),
    // lua_resume that remembers the running thread; lua_resume never jumps out, so this is exact
    shim("int4ToInt", 1, getGlobal(layout.running), local.set(4), local.get(0), setGlobal(layout.running),
      local.get(0), local.get(1),
      local.get(2), local.get(3), call(rawResume), local.get(4), setGlobal(layout.running)),
    // invoke_vii(f, a, b): a call inside try; on a Lua error the shadow stack is restored and the throw flag
    // set
    shim("int3", 1, getGlobal(layout.stackPointer), local.set(3), [0x06, 0x40], local.get(1), local.get(2),
      local.get(0),
      [0x11, ...unsigned(layout.type.int2), 0], [0x07, 0], local.get(3), setGlobal(layout.stackPointer),
      constant(1), constant(0),
      lua("setThrew"), [END]),
    // _emscripten_throw_longjmp: throw the tag
    shim("none", 0, [0x08, 0]),
  ];
}
