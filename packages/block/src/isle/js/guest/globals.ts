/** Inside an isle: the few globals of the web that scripts expect, and text for people. */
import type { Any, Guest } from "./guest.ts";

export function globals(g: Guest): void {
  const world = globalThis as Any;
  const define = (name: string, value: unknown): void =>
    void Object.defineProperty(world, name, { value, writable: true, configurable: true, enumerable: false });

  const show = (value: Any): string => {
    if (typeof value === "string") return value;
    if (value instanceof Error) return value.stack ? `${value.name}: ${value.message}\n${value.stack.trimEnd()}` : String(value);
    if (typeof value !== "object" || value === null) return String(value);
    try {
      return JSON.stringify(value, (_key, v: unknown) => (typeof v === "bigint" ? `${v}n` : v)) ?? String(value);
    } catch {
      return String(value);
    }
  };
  g.show = (values) => values.map(show).join(" ");
  g.note = (level, target, msg, fields = {}) => {
    const { text } = g.pack({ level, target, msg, fields });
    g.host("note", 0, text, "");
  };
  const out = (values: readonly unknown[], between: string): void =>
    void g.host("out", 0, JSON.stringify(values.map(show).join(between) + "\n"), "");
  const logs = (level: string) => (...values: unknown[]): void =>
    g.note(level, "lua", g.show(values), { script: g.setup.scriptName });
  define("print", (...values: unknown[]) => out(values, "\t"));
  define("console", {
    log: (...values: unknown[]) => out(values, " "), info: (...values: unknown[]) => out(values, " "),
    debug: logs("debug"), warn: logs("warn"), error: logs("error"),
  });

  const timers = new Map<number, () => void>();
  let last = 0;
  define("setTimeout", (fn: (...args: unknown[]) => void, ms: unknown = 0, ...args: unknown[]) => {
    const id = ++last;
    timers.set(id, g.after(Math.max(0, Number(ms) || 0), () => {
      timers.delete(id);
      fn(...args);
    }));
    return id;
  });
  define("clearTimeout", (id: number) => {
    timers.get(id)?.();
    timers.delete(id);
  });
  define("queueMicrotask", (fn: () => void) => void Promise.resolve().then(fn));
  if (typeof world.TextEncoder === "undefined") {
    define("TextEncoder", class TextEncoder {
      encode(text = ""): Uint8Array {
        return g.now("utf8", "", String(text));
      }
    });
    define("TextDecoder", class TextDecoder {
      decode(bytes: Any = new Uint8Array()): string {
        return g.now("text", "", new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength));
      }
    });
  }
  g.snake = (options) => {
    if (typeof options !== "object" || options === null || Array.isArray(options)) return options;
    return Object.fromEntries(Object.entries(options).filter(([key]) => key !== "signal")
      .map(([key, value]) => [key.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase()), value]));
  };
}
