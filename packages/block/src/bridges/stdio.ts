/** Host half of `io.stderr` and `io.stdin`. What goes to `io.stdout` is printed, on the way of `print`. */
import { readBytes } from "./arguments.ts";
import type { Ops } from "./op.ts";

export interface StdioParts {
  /** Where `io.stderr:write` goes; a promise holds the writer back. */
  stderr(bytes: Uint8Array): void | Promise<void>;
  /**
   * At least one byte and at most `bytes` of the program's input, undefined at its end. Absent: the input is
   * empty, which is what a block in a library has, whose process may want its input for itself.
   */
  stdin?(bytes: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

/** `io.stderr(data)`, `io.stdin(bytes)` → bytes, or nil at the end. */
export function stdioOps(parts: StdioParts): Ops {
  return {
    "io.stderr": async ([data]) => {
      const bytes = readBytes("io.stderr: argument #1", data) ?? "";
      await parts.stderr(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
      return undefined;
    },
    "io.stdin": ([bytes], call) => parts.stdin?.(Number(bytes), call.signal),
  };
}
