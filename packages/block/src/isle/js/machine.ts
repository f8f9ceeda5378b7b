/**
 * One QuickJS instance with texts and bytes instead of pointers.
 * takes code and texts; gives what it threw as data; promises that its heap never grows over its cap; refuses
 * nothing; never runs script code by itself.
 */
import type { Pointer, QuickJs } from "../js-module.ts";
import { toJsError, type JsThrown } from "./thrown.ts";

/** Bytes of stack for script code: some thousand calls deep. More would not fit beside other isles of a thread. */
const STACK_BYTES = 256 * 1024;
/**
 * Of a module that is only compiled, this build of QuickJS takes its source text for the module's record, and gives what it
 * reads there as its value (QTS_Eval of quickjs-emscripten 0.32 leaves its local of the module unset). Text is a number
 * there, and so are zeros; what lay behind a short text before could be taken for pointers.
 */
const BEHIND_SOURCE_BYTES = 256;
const EVAL = { script: 0, module: 1, compileOnly: 32 } as const;

export interface MachineHost {
  /** The one function that our own code in the isle calls; `args` are read with `text`, `number` and `bytes`. */
  call(args: HostArgs): string | undefined;
  /** Full name of a module as `base` imports it. */
  normalize(base: string, name: string): string;
  /** Source of a module by its full name, or why there is none. */
  load(name: string): ModuleSource;
}

export type ModuleSource = { readonly source: string } | { readonly error: { readonly text: string; readonly code: string } };

export interface HostArgs {
  readonly count: number;
  text(index: number): string;
  number(index: number): number;
  bytes(index: number): Uint8Array;
}

type Runs<T> = T | Promise<T>;

export class JsMachine {
  readonly #q: QuickJs;
  readonly #rt: Pointer;
  readonly #ctx: Pointer;
  readonly #out: Pointer;
  readonly #run: Pick<QuickJs, "_QTS_Eval" | "_QTS_Call" | "_QTS_ExecutePendingJob">;
  /** What `deliver` calls: set by `boot`. */
  #entry: Pointer = 0;

  constructor(q: QuickJs, host: MachineHost, o: { suspends: boolean }) {
    this.#q = q;
    q.callbacks = {
      callFunction: (...[, , , argc, argv]) => {
        const answer = host.call(this.#args(argc, argv));
        return answer === undefined ? 0 : this.#newText(answer);
      },
      shouldInterrupt: () => 0, freeHostRef: () => undefined,
      normalizeModule: (...[, , , base, name]) => this.#cstring(host.normalize(base, name)),
      loadModuleSource: (...[, , , name]) => {
        const found = host.load(name);
        return "source" in found ? this.#cstring(found.source) : this.#refuse(found.error);
      },
    };
    this.#rt = q._QTS_NewRuntime();
    q._QTS_RuntimeSetMaxStackSize(this.#rt, STACK_BYTES);
    this.#ctx = q._QTS_NewContext(this.#rt, 0);
    q._QTS_RuntimeEnableInterruptHandler(this.#rt);
    q._QTS_RuntimeEnableModuleLoader(this.#rt, 1);
    this.#out = q._malloc(8);
    this.#run = o.suspends ? suspendable(q) : q;
  }

  /** Bytes of its memory now. */
  get bytes(): number {
    return this.#q.HEAPU8.length;
  }

  /** Evaluates our own code, whose value is a function of the host function that gives the entry. */
  async boot(source: string, name: string): Promise<void> {
    const main = await this.#must(this.#eval(source, name, EVAL.script));
    const host = this.#withText("host", (p) => this.#q._QTS_NewFunction(this.#ctx, p, 8, 0, 1));
    this.#entry = await this.#must(this.#call(main, [host]));
    this.#q._QTS_FreeValuePointer(this.#ctx, main);
  }

  /** Compiles a module under its full name without running it; gives what is wrong with it. */
  compile(source: string, name: string): Runs<JsThrown | undefined> {
    return then(this.#eval(source, name, EVAL.module | EVAL.compileOnly), (value) => this.#thrown(value));
  }

  /** Calls the entry. What our own code throws is a lack of memory. */
  deliver(args: readonly (string | number | Uint8Array)[]): Runs<JsThrown | undefined> {
    const values: Pointer[] = [];
    for (const arg of args) values.push(this.#new(arg));
    return then(this.#call(this.#entry, values), (value) => this.#thrown(value));
  }

  get hasJobs(): boolean {
    return this.#q._QTS_IsJobPending(this.#rt) !== 0;
  }

  /** Runs one job: what follows an `await` or a `then`. */
  job(): Runs<JsThrown | undefined> {
    const { _QTS_ExecutePendingJob: execute } = this.#run;
    return then(execute(this.#rt, 1, this.#out), (value) => this.#thrown(value));
  }

  #args(argc: number, argv: Pointer): HostArgs {
    const q = this.#q;
    const at = (index: number): Pointer => q._QTS_ArgvGetJSValueConstPointer(argv, index);
    return {
      count: argc, text: (index) => this.#text(at(index)), number: (index) => q._QTS_GetFloat64(this.#ctx, at(index)),
      bytes: (index) => {
        const p = q._QTS_GetArrayBuffer(this.#ctx, at(index));
        const length = q._QTS_GetArrayBufferLength(this.#ctx, at(index));
        return q.HEAPU8.slice(p, p + length);
      },
    };
  }

  #eval(source: string, name: string, flags: number): Runs<Pointer> {
    const q = this.#q;
    const code = this.#cstring(source, BEHIND_SOURCE_BYTES);
    const file = this.#cstring(name);
    return then(this.#run._QTS_Eval(this.#ctx, code, q.lengthBytesUTF8(source), file, 0, flags), (value) => {
      q._free(code);
      q._free(file);
      return value;
    });
  }

  #call(fn: Pointer, args: readonly Pointer[]): Runs<Pointer> {
    const q = this.#q;
    const argv = q._malloc(Math.max(4, args.length * 4));
    const view = new DataView(q.HEAPU8.buffer);
    args.forEach((arg, i) => view.setUint32(argv + i * 4, arg, true));
    return then(this.#run._QTS_Call(this.#ctx, fn, q._QTS_GetUndefined(), args.length, argv), (value) => {
      for (const arg of args) q._QTS_FreeValuePointer(this.#ctx, arg);
      q._free(argv);
      return value;
    });
  }

  /** Value of our own code, which throws only when its isle has no room even for it. */
  async #must(value: Runs<Pointer>): Promise<Pointer> {
    const given = await value;
    const error = this.#q._QTS_ResolveException(this.#ctx, given);
    if (error === 0) return given;
    throw toJsError(this.#dump(error));
  }

  #thrown(value: Pointer): JsThrown | undefined {
    if (value === 0) return undefined;
    const q = this.#q;
    const error = q._QTS_ResolveException(this.#ctx, value);
    const thrown = error === 0 ? undefined : this.#dump(error);
    if (error !== 0) q._QTS_FreeValuePointer(this.#ctx, error);
    q._QTS_FreeValuePointer(this.#ctx, value);
    return thrown;
  }

  #dump(error: Pointer): JsThrown {
    const text = this.#q._QTS_Dump(this.#ctx, error);
    if (text === 0) return { name: "InternalError", message: "out of memory", stack: "" };
    const read = this.#q.UTF8ToString(text);
    this.#q._QTS_FreeCString(this.#ctx, text);
    try {
      return { name: "Error", message: read, stack: "", ...JSON.parse(read) as object };
    } catch {
      return { name: "Error", message: read, stack: "" };
    }
  }

  /** Raises an error in place of a module. */
  #refuse({ text, code }: { text: string; code: string }): Pointer {
    const q = this.#q;
    const error = q._QTS_NewError(this.#ctx);
    for (const [key, value] of [["message", text], ["code", code]] as const) {
      const name = this.#newText(key);
      const given = this.#newText(value);
      q._QTS_SetProp(this.#ctx, error, name, given);
      q._QTS_FreeValuePointer(this.#ctx, name);
      q._QTS_FreeValuePointer(this.#ctx, given);
    }
    q._QTS_FreeValuePointer(this.#ctx, q._QTS_Throw(this.#ctx, error));
    q._QTS_FreeValuePointer(this.#ctx, error);
    return 0;
  }

  #new(arg: string | number | Uint8Array): Pointer {
    if (typeof arg === "string") return this.#newText(arg);
    if (typeof arg === "number") return this.#q._QTS_NewFloat64(this.#ctx, arg);
    const p = this.#q._malloc(Math.max(1, arg.length));
    this.#q.HEAPU8.set(arg, p);
    return this.#q._QTS_NewArrayBuffer(this.#ctx, p, arg.length);
  }

  #newText(text: string): Pointer {
    return this.#withText(text, (p) => this.#q._QTS_NewString(this.#ctx, p));
  }

  #withText<T>(text: string, use: (p: Pointer) => T): T {
    const p = this.#cstring(text);
    try {
      return use(p);
    } finally {
      this.#q._free(p);
    }
  }

  /** With so many zeros behind its end. */
  #cstring(text: string, behind = 0): Pointer {
    const bytes = this.#q.lengthBytesUTF8(text) + 1;
    const p = this.#q._malloc(bytes + behind);
    if (p === 0) throw toJsError({ name: "InternalError", message: "out of memory", stack: "" });
    this.#q.stringToUTF8(text, p, bytes);
    if (behind > 0) this.#q.HEAPU8.fill(0, p + bytes, p + bytes + behind);
    return p;
  }

  #text(value: Pointer): string {
    const p = this.#q._QTS_GetString(this.#ctx, value);
    const text = this.#q.UTF8ToString(p);
    this.#q._QTS_FreeCString(this.#ctx, p);
    return text;
  }
}

function then<A, B>(value: Runs<A>, use: (value: A) => B): Runs<B> {
  return value instanceof Promise ? value.then(use) : use(value);
}

function suspendable(q: QuickJs): Pick<QuickJs, "_QTS_Eval" | "_QTS_Call" | "_QTS_ExecutePendingJob"> {
  return {
    _QTS_Eval: WebAssembly.promising(q._QTS_Eval), _QTS_Call: WebAssembly.promising(q._QTS_Call),
    _QTS_ExecutePendingJob: WebAssembly.promising(q._QTS_ExecutePendingJob),
  } as unknown as Pick<QuickJs, "_QTS_Eval" | "_QTS_Call" | "_QTS_ExecutePendingJob">;
}
