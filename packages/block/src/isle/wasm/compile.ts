/** Compiles the modules of the isles. The one place that does, so that V8 is told first how to treat their code. */
import { setFlagsFromString } from "node:v8";

let told = false;

/**
 * The module of these bytes; throws `WebAssembly.CompileError`. From the first call on, V8 frees no machine code of WebAssembly
 * in this process but together with its module: it may free the code that leads from a module to an imported function
 * while threads come and go, and once ended the process over it (`Check failed: jit_page_->allocations_.erase`, V8 13.6).
 * What is kept is bounded: one body a function and one for each form of an import, whatever the number of isles.
 */
export function compileIsleModule(bytes: Uint8Array): WebAssembly.Module {
  if (!told) setFlagsFromString("--no-wasm-code-gc");
  told = true;
  return new WebAssembly.Module(bytes);
}
