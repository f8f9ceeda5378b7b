/**
 * One Lua state in one WebAssembly instance: its memory with its cap, and strings, numbers, functions and
 * references on its stack. Knows no bridges and no tasks.
 */
import { REGISTRY } from "../wasm/shims.ts";
import { asciiText } from "./ascii.ts";
import type { LuaExports } from "./exports.ts";
import { libcImports, type Memory } from "./libc.ts";
import { type Known, type MemoryImage, RANDOM_WORDS, type Refs } from "./memory-image.ts";
import { OutOfMemory, StackFull, Terminate } from "./vm-errors.ts";

/** Slots of the rewritten module's table (wasm/layout.ts); fixed with the hash of the build. */
export const SLOT = { dispatch: 198, resumed: 199, hook: 200, writer: 201 } as const;
const PAGE = 65_536;
const SCRATCH_BYTES = 4096;
/** Text of up to this many UTF-16 units surely fits the scratch area as UTF-8. */
const SCRATCH_UNITS = 1300;
/** Beyond the cap, for what the host itself must push between two calls (a new coroutine, an error). */
const RESERVE_BYTES = 1 << 20;
/** Units of work in JavaScript between two looks at the limits; some 0.2 ms. */
const WORK_UNITS = 4000;
/** Ticks between two polls: 0.1 to 0.2 ms of work. */
export const POLL_TICKS = 20_000;
/** What putting a time into words costs: some 3 µs, which no tick of the VM counts. */
const TIME_TICKS = 400;

export interface StateHost {
  /** Next budget of ticks; 0 asks for suspension (only with `suspending`). May throw Terminate. */
  poll(): number;
  call(L: number, fn: number): number;
  resumed(L: number): number;
  hook(L: number): void;
  /** Bytes written by C code: descriptor 1 or 2. */
  write(descriptor: number, bytes: Uint8Array): void;
  now(): number;
  /** Bytes of memory now, what the host holds included. */
  sized(bytes: number): void;
  /** Called now and then by work done here on behalf of a script; throws when that is to end. */
  worked(): void;
  /** Whether the script is to end. */
  cancelling(): boolean;
  /** Resolves with the next budget once the VM may go on; absent = this VM is never suspended. */
  suspending?(): Promise<number>;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

export class LuaMachine {
  readonly x: LuaExports;
  readonly memory: Memory;
  readonly main: number;
  /** Four KiB of the VM's own memory for strings and out-parameters. */
  readonly scratch: number;
  readonly bytesMax: number;
  /** True while Lua code runs on behalf of the script: then the cap is strict. */
  strict = false;
  /** Set once the VM may not be entered again. */
  dead: unknown = null;
  /** Bytes the host holds for this isle; they count against its cap. */
  heldBytes = 0;
  /** Its memory began as a copy: what every isle has in Lua is there, and only the host's side is to be made. */
  readonly copied: boolean;
  /** References that every isle has, by what they are. */
  readonly refs: Refs;
  /** Pieces of bytecode of the dump that is going on. */
  protected dumped: Uint8Array[] = [];
  #work = 0;
  #panic = "";
  readonly #freed: number[] = [];
  readonly #host: StateHost;

  constructor(module: WebAssembly.Module, host: StateHost, bytesMax: number, image?: MemoryImage) {
    this.#host = host;
    this.bytesMax = Math.min(bytesMax, 2 ** 31);
    this.memory = { bytes: new Uint8Array(0), words: new Int32Array(0) };
    const libc = libcImports({
      memory: this.memory, now: () => host.now(), grow: (need) => this.#grow(need),
      write: (fd, bytes) => this.#written(fd, bytes), formats: () => this.#formats(),
      abort: () => {
        this.dead = this.#panic.includes("not enough memory") ? new Terminate("memory", "not enough memory")
          : new Terminate("crashed", this.#panic === "" ? "the Lua VM aborted" : this.#panic.trim());
        throw this.dead;
      },
    });
    const suspending = host.suspending;
    const isle = {
      host_poll: () => host.poll(), host_call: (L: number, fn: number) => host.call(L, fn),
      host_hook: (L: number) => host.hook(L),
      host_write: (p: number, size: number) => {
        this.dumped.push(this.memory.bytes.slice(p, p + size));
        return 0;
      },
      host_yield: suspending === undefined ? () => POLL_TICKS
        : new WebAssembly.Suspending(() => suspending.call(host)),
      host_resume: (L: number) => host.resumed(L),
    };
    const imports = { ...libc, isle } as WebAssembly.Imports;
    this.x = new WebAssembly.Instance(module, imports).exports as unknown as LuaExports;
    this.#view();
    this.x.__wasm_call_ctors();
    this.copied = image !== undefined;
    const { main, scratch, refs } = image === undefined ? this.#begin() : this.#copy(image);
    this.main = main;
    this.scratch = scratch;
    this.refs = { ...refs };
    this.x.running.value = main;
    this.x.budget.value = POLL_TICKS;
  }

  #begin(): Pick<MemoryImage, "main" | "scratch" | "refs"> {
    const main = this.x.luaL_newstate();
    if (main === 0) throw new Terminate("memory", "no memory for a Lua state");
    const scratch = this.x.malloc(SCRATCH_BYTES);
    this.x.luaL_openlibs(main);
    return { main, scratch, refs: {} };
  }

  #copy(image: MemoryImage): MemoryImage {
    const { size, pieces, random } = image;
    if (size > this.memory.bytes.length && this.#grow(size) === 0) {
      throw new Terminate("memory", "no memory for a Lua state");
    }
    for (const { at, bytes } of pieces) this.memory.bytes.set(bytes, at);
    // no secret: Lua itself takes the time and an address
    for (let i = 0; i < RANDOM_WORDS; i++) this.memory.words[(random >> 2) + i] = Math.random() * 2 ** 32;
    return image;
  }

  /** Warnings come in pieces of a line; what begins with PANIC says why the VM is about to abort. */
  #written(descriptor: number, bytes: Uint8Array): void {
    if (descriptor !== 2) {
      this.#host.write(descriptor, bytes);
      return;
    }
    this.#panic += lossy.decode(bytes);
    if (this.#panic.startsWith("PANIC") || !this.#panic.endsWith("\n")) return;
    this.#host.write(2, encoder.encode(this.#panic.trimEnd()));
    this.#panic = "";
  }

  #view(): void {
    this.memory.bytes = new Uint8Array(this.x.memory.buffer);
    this.memory.words = new Int32Array(this.x.memory.buffer);
    this.#sized();
  }

  #sized(): void {
    this.#host.sized(this.memory.bytes.length + this.heldBytes);
  }

  #grow(need: number): number {
    const cap = this.bytesMax - this.heldBytes + (this.strict ? 0 : RESERVE_BYTES);
    if (need > cap) return 0;
    try {
      this.x.memory.grow(Math.ceil((need - this.memory.bytes.length) / PAGE));
    } catch {
      return 0;
    }
    this.#view();
    return 1;
  }

  /** What the host may still hold for this isle; never less than what small calls need. */
  get bytesLeft(): number {
    return Math.max(this.bytesMax - this.memory.bytes.length, RESERVE_BYTES) - this.heldBytes;
  }

  /**
   * Counts bytes that the host holds for this isle. Throws OutOfMemory, and counts nothing, when the cap
   * forbids.
   */
  hold(bytes: number): void {
    if (bytes > this.bytesLeft) throw new OutOfMemory();
    this.heldBytes += bytes;
    this.#sized();
  }

  letGo(bytes: number): void {
    this.heldBytes -= bytes;
    this.#sized();
  }

  /**
   * To be called by every loop in JavaScript whose length a script decides, with the number of small steps
   * done: a kill, a limit or a cancel ends it.
   */
  worked(units: number): void {
    this.#work += units;
    if (this.#work < WORK_UNITS) return;
    this.#work = 0;
    this.#host.worked();
  }

  /**
   * The next poll comes the sooner. No error can be raised from here: a script that is to end gets nothing more, and so
   * comes to where one can.
   */
  #formats(): boolean {
    this.x.budget.value -= TIME_TICKS;
    return !this.#host.cancelling();
  }

  /** Makes sure of `slots` free places on the stack; a C function has 20 without asking. */
  room(L: number, slots: number): void {
    if (this.x.lua_checkstack(L, slots) === 0) throw new StackFull();
  }

  // ---- text

  /** Text where the bytes are UTF-8, else the bytes themselves. */
  text(p: number, size: number): string | Uint8Array {
    const { bytes } = this.memory;
    return asciiText(bytes, p, p + size) ?? decode(bytes.subarray(p, p + size));
  }

  /** String at a stack index as text or bytes; numbers are not converted. */
  string(L: number, index: number): string | Uint8Array {
    const p = this.x.lua_tolstring(L, index, this.scratch);
    return this.text(p, this.memory.words[this.scratch >> 2] as number);
  }

  /** Exact bytes of the string at a stack index: a copy. */
  bytesAt(L: number, index: number): Uint8Array {
    const p = this.x.lua_tolstring(L, index, this.scratch);
    return this.memory.bytes.slice(p, p + (this.memory.words[this.scratch >> 2] as number));
  }

  /** For messages to people: broken UTF-8 is shown as U+FFFD. */
  lossyText(L: number, index: number): string {
    const p = this.x.lua_tolstring(L, index, this.scratch);
    if (p === 0) return "";
    const end = p + (this.memory.words[this.scratch >> 2] as number);
    return asciiText(this.memory.bytes, p, end) ?? lossy.decode(this.memory.bytes.subarray(p, end));
  }

  cstring(p: number): string {
    const end = this.memory.bytes.indexOf(0, p);
    return lossy.decode(this.memory.bytes.subarray(p, end));
  }

  pushText(L: number, text: string): void {
    if (text.length > SCRATCH_UNITS) {
      this.pushBytes(L, encoder.encode(text));
      return;
    }
    const { written } = encoder.encodeInto(text,
      this.memory.bytes.subarray(this.scratch, this.scratch + SCRATCH_BYTES));
    this.x.lua_pushlstring(L, this.scratch, written);
  }

  pushBytes(L: number, bytes: Uint8Array): void {
    const p = this.copyIn(bytes);
    try {
      this.x.lua_pushlstring(L, p, bytes.length);
    } finally {
      this.free(p);
    }
  }

  free(p: number): void {
    if (this.dead === null) this.x.free(p);
  }

  /**
   * Bytes in the VM's heap; the caller frees them. Raises Lua's own memory error as a value when there is no
   * room.
   */
  copyIn(bytes: Uint8Array): number {
    const p = this.x.malloc(bytes.length || 1);
    if (p === 0) throw new OutOfMemory();
    this.memory.bytes.set(bytes, p);
    return p;
  }

  /** A text as UTF-8 in the VM's heap; see `copyIn`. */
  copyTextIn(text: string): { p: number; size: number } {
    if (text.length > SCRATCH_UNITS) {
      const bytes = encoder.encode(text);
      return { p: this.copyIn(bytes), size: bytes.length };
    }
    const room = text.length * 3 + 1;
    const p = this.x.malloc(room);
    if (p === 0) throw new OutOfMemory();
    return { p, size: encoder.encodeInto(text, this.memory.bytes.subarray(p, p + room)).written };
  }

  // ---- numbers

  /** Integers as number or bigint, floats as number. */
  number(L: number, index: number): number | bigint {
    const value = this.x.lua_tonumberx(L, index, 0);
    return Number.isSafeInteger(value) || this.x.lua_isinteger(L, index) === 0 ? value
      : this.x.lua_tointegerx(L, index, 0);
  }

  /** Length of a table or string without asking its metatable. */
  length(L: number, index: number): number {
    return Number(this.x.lua_rawlen(L, index));
  }

  ref(L: number): number {
    return this.x.luaL_ref(L, REGISTRY);
  }

  /** Makes the value on top of the stack one that every isle has; it is taken. */
  remember(L: number, what: Known): void {
    this.refs[what] = this.ref(L);
  }

  pushKnown(L: number, what: Known): void {
    this.pushRef(L, this.refs[what] as number);
  }

  /** Gives a reference back at the next `settleRefs`: this may be called in the middle of an instruction. */
  unref(ref: number): void {
    this.#freed.push(ref);
  }

  /** To be called where the VM may be entered. */
  settleRefs(): void {
    if (this.#freed.length === 0) return;
    for (const ref of this.#freed.splice(0)) this.x.luaL_unref(this.main, REGISTRY, ref);
  }

  pushRef(L: number, ref: number): void {
    this.x.lua_rawgeti(L, REGISTRY, BigInt(ref));
  }

  pushFunction(L: number, fn: number): void {
    this.x.push_integer(L, fn);
    this.x.lua_pushcclosure(L, SLOT.dispatch, 1);
  }

  pop(L: number, count = 1): void {
    this.x.lua_settop(L, -count - 1);
  }
}

function decode(bytes: Uint8Array): string | Uint8Array {
  try {
    return utf8.decode(bytes);
  } catch {
    return bytes.slice();
  }
}
