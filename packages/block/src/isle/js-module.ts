/**
 * The one file that knows where JavaScript for scripts comes from: QuickJS in WebAssembly, from npm. Loaded only in a
 * thread that opens a JavaScript isle; each isle has an instance of its own, which is dropped with it.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import loadGlue from "@jitl/quickjs-wasmfile-release-sync/emscripten-module";
import { compileIsleModule } from "./wasm/compile.ts";

/** Pointer into the memory of an instance; 0 = none. */
export type Pointer = number;

/** What QuickJS calls on our side, by its own names. */
export interface QuickJsCallbacks {
  callFunction(...a: [async: unknown, ctx: Pointer, self: Pointer, argc: number, argv: Pointer, id: number]): Pointer;
  /** Not used: polls have an import of their own. */
  shouldInterrupt(): number;
  /** A C string on the heap with the source; 0 raises an error about the name. */
  loadModuleSource(...a: [async: unknown, rt: Pointer, ctx: Pointer, name: string]): Pointer;
  normalizeModule(...a: [async: unknown, rt: Pointer, ctx: Pointer, base: string, name: string]): Pointer;
  freeHostRef(async: unknown, rt: Pointer, id: number): void;
}

/** The functions of an instance that we use. Those marked "runs" may run script code. */
export interface QuickJs {
  callbacks: QuickJsCallbacks;
  readonly HEAPU8: Uint8Array;
  UTF8ToString(p: Pointer): string;
  stringToUTF8(text: string, p: Pointer, bytesMax: number): void;
  lengthBytesUTF8(text: string): number;
  _malloc(bytes: number): Pointer;
  _free(p: Pointer): void;
  _QTS_NewRuntime(): Pointer;
  _QTS_NewContext(rt: Pointer, intrinsics: number): Pointer;
  _QTS_RuntimeSetMaxStackSize(rt: Pointer, bytes: number): void;
  _QTS_RuntimeEnableInterruptHandler(rt: Pointer): void;
  _QTS_RuntimeEnableModuleLoader(rt: Pointer, normalize: number): void;
  _QTS_NewFunction(ctx: Pointer, name: Pointer, args: number, constructs: number, id: number): Pointer;
  _QTS_NewString(ctx: Pointer, text: Pointer): Pointer;
  _QTS_NewFloat64(ctx: Pointer, value: number): Pointer;
  _QTS_NewArrayBuffer(ctx: Pointer, bytes: Pointer, length: number): Pointer;
  _QTS_GetString(ctx: Pointer, value: Pointer): Pointer;
  _QTS_GetFloat64(ctx: Pointer, value: Pointer): number;
  _QTS_GetArrayBuffer(ctx: Pointer, value: Pointer): Pointer;
  _QTS_GetArrayBufferLength(ctx: Pointer, value: Pointer): number;
  _QTS_NewError(ctx: Pointer): Pointer;
  _QTS_SetProp(ctx: Pointer, self: Pointer, name: Pointer, value: Pointer): void;
  _QTS_Throw(ctx: Pointer, error: Pointer): Pointer;
  _QTS_GetUndefined(): Pointer;
  _QTS_FreeValuePointer(ctx: Pointer, value: Pointer): void;
  _QTS_FreeCString(ctx: Pointer, text: Pointer): void;
  _QTS_ArgvGetJSValueConstPointer(argv: Pointer, index: number): Pointer;
  _QTS_ResolveException(ctx: Pointer, value: Pointer): Pointer;
  _QTS_Dump(ctx: Pointer, value: Pointer): Pointer;
  _QTS_IsJobPending(rt: Pointer): number;
  /** Runs. */
  _QTS_Eval(ctx: Pointer, code: Pointer, length: number, name: Pointer, detect: number, flags: number): Pointer;
  /** Runs. */
  _QTS_Call(ctx: Pointer, fn: Pointer, self: Pointer, argc: number, argv: Pointer): Pointer;
  /** Runs. */
  _QTS_ExecutePendingJob(rt: Pointer, max: number, ctxOut: Pointer): Pointer;
}

/** Names of imports of this build: what QuickJS calls now and then while it runs code; what asks for more memory. */
const POLL = "i";
const RESIZE = "k";
const MEMORY = "a";
const PAGE = 65_536;

type Imports = Record<string, Record<string, unknown>>;
type Glue = (options: {
  instantiateWasm(imports: Imports, ready: (instance: WebAssembly.Instance) => void): unknown;
  print(text: string): void; printErr(text: string): void;
}) => Promise<QuickJs>;

/** The memory of one instance: how far it may grow, and whether it wanted more. */
export interface HeapCap {
  bytesMax: number;
  refused: boolean;
}

let compiled: Promise<WebAssembly.Module> | undefined;

async function compile(): Promise<WebAssembly.Module> {
  const path = createRequire(import.meta.url).resolve("@jitl/quickjs-wasmfile-release-sync/wasm");
  return compileIsleModule(withFrequentPolls(await readFile(path), path));
}

/** `ctx->interrupt_counter = 10000`: calls and jumps back until the next poll. */
const POLL_SET = Buffer.from([0x41, 0x90, 0xce, 0x00, 0x36, 0x02, 0xe8, 0x01]);
/** The same with 500: what a script calls may take long, and is not polled itself. */
const POLL_OFTEN = Buffer.from([0x41, 0xf4, 0x83, 0x00, 0x36, 0x02, 0xe8, 0x01]);

/** The module, changed in memory; throws for a build that has another shape. */
function withFrequentPolls(module: Buffer, path: string): Buffer {
  const at = module.indexOf(POLL_SET);
  if (at < 0 || module.indexOf(POLL_SET, at + 1) >= 0) {
    throw new Error(`${path} is not the QuickJS build this version was made for; install @jitl/quickjs-wasmfile-release-sync 0.32.0 exactly`);
  }
  POLL_OFTEN.copy(module, at);
  return module;
}

/**
 * A fresh instance. `poll` is called every few hundred calls and jumps back of script code: 0 lets it run on, and what it throws no
 * script can catch; the instance must not be entered after that. With `suspends`, poll may give a promise: then
 * whatever runs is suspended until it settles, and all that runs must be entered by `WebAssembly.promising`.
 */
export async function openQuickJs(
  poll: () => number | Promise<number>, o: { suspends: boolean; heap: HeapCap },
): Promise<QuickJs> {
  compiled ??= compile();
  const module = await compiled;
  return await (loadGlue as unknown as Glue)({
    instantiateWasm(imports, ready) {
      const own = imports["a"] as Record<string, unknown>;
      capMemory(own, o.heap);
      own[POLL] = o.suspends ? new WebAssembly.Suspending(poll as () => Promise<number>) : poll;
      const instance = new WebAssembly.Instance(module, imports as WebAssembly.Imports);
      ready(instance);
      return instance.exports;
    },
    print: () => undefined, printErr: () => undefined,
  });
}

/** QuickJS cannot count its own memory in this build: growth over the cap is refused, and it says "out of memory". */
function capMemory(own: Record<string, unknown>, heap: HeapCap): void {
  const memory = own[MEMORY] as WebAssembly.Memory;
  const resize = own[RESIZE] as (bytes: number) => boolean | number;
  const grow = memory.grow.bind(memory);
  // the glue asks for more than is needed
  memory.grow = (pages) => grow(Math.min(pages, Math.max(0, Math.floor((heap.bytesMax - memory.buffer.byteLength) / PAGE))));
  own[RESIZE] = (bytes: number) => {
    if (bytes >>> 0 <= heap.bytesMax) return resize(bytes);
    heap.refused = true;
    return false;
  };
}
