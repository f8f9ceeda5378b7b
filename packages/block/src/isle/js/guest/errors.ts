/** Inside an isle: faults of bridges as errors with `code`, `retry` and `facts`, and any error as data for the host. */
import type { Any, FaultLike, Guest } from "./guest.ts";

export function errors(g: Guest): void {
  const ours = new WeakSet();

  class BlockError extends Error {
    code: string;
    retry: string;
    declare retry_after_ms?: number;
    facts: Any;
    constructor(f: FaultLike) {
      super(f.text);
      this.code = f.code;
      this.retry = f.retry;
      if (f.retry_after_ms !== undefined) this.retry_after_ms = f.retry_after_ms;
      this.facts = f.facts ?? {};
      ours.add(this);
    }
  }
  Object.defineProperty(BlockError.prototype, "name", { value: "BlockError" });
  g.BlockError = BlockError;
  g.fault = (data) => new BlockError(data);
  g.error = (code, text, facts = {}) => new BlockError({ code, text, retry: "never", facts });

  // the names that scripts of every language see
  g.typeName = (value) => {
    if (value === undefined || value === null) return "nil";
    if (value instanceof Uint8Array) return "string";
    return typeof value === "object" ? "table" : typeof value === "bigint" ? "number" : typeof value;
  };
  g.wrongType = (fn, index, wanted, got) => g.error("script.argument",
    `${fn}: argument #${index} must be a ${wanted}, got ${g.typeName(got)}`, { fn, index, wanted, got: g.typeName(got) });

  const isFault = (e: Any): boolean => ours.has(e) && typeof e.code === "string" && typeof e.message === "string"
    && (e.retry === "never" || e.retry === "later" || e.retry === "elsewhere");

  g.told = (e: Any) => {
    if (typeof e !== "object" || e === null) return { text: String(e), traceback: "" };
    const traceback = typeof e.stack === "string" && e.stack !== "" ? "stack traceback:\n" + e.stack.trimEnd() : "";
    if (isFault(e)) {
      const { code, message: text, retry, retry_after_ms, facts } = e;
      return { text, traceback, fault: { code, text, retry, facts, ...(retry_after_ms === undefined ? {} : { retry_after_ms }) } };
    }
    if (!(e instanceof Error)) return { text: "(error object is a table value)", traceback, value: e };
    if (e.name === "InternalError" && e.message === "out of memory") return { text: "not enough memory", traceback: "" };
    const text = e.name === "Error" ? e.message : `${e.name}: ${e.message}`;
    // what a handler says by `Object.assign(new Error(text), {code})` is an answer of its own
    const own = typeof (e as Any).code === "string" ? { value: { ...e, message: e.message } } : {};
    return { text, traceback, ...own };
  };
}
