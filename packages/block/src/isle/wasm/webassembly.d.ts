/**
 * The part of the WebAssembly JavaScript interface that we use; Node's own types leave it to the DOM library.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: Imports);
    readonly exports: unknown;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  interface Global<T extends "i32"> {
    value: T extends "i32" ? number : never;
  }
  class RuntimeError extends Error {}
  class Exception {}
  class SuspendError extends Error {}
  // any function may be imported: its signature is checked by the engine when it is called
  type Imports = Record<string, Record<string, ((...args: never[]) => unknown) | Suspending>>;
  /** JavaScript Promise Integration: an import that suspends the caller until its promise settles. */
  class Suspending {
    constructor(fn: () => Promise<number>);
  }
  /** JavaScript Promise Integration: an export whose call may be suspended. */
  function promising<A extends readonly unknown[]>(
    fn: (...args: A) => number,
  ): (...args: A) => Promise<number>;
}
