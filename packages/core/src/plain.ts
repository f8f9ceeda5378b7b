/**
 * Anything at all as a plain JSON value, for logs and for facts of faults. Never throws, never grows without
 * end.
 */
import type { Json } from "./json.ts";

const DEPTH_MAX = 16;
const ITEMS_MAX = 1_000;

/**
 * A JSON value that says what `value` is: text and numbers stay, errors become `{code?, message}`, bytes
 * their count, what is deeper than 16 levels or beyond 1,000 items in all becomes `…`.
 */
export function toPlain(value: unknown): Json {
  const budget = { items: ITEMS_MAX };
  return plain(value, DEPTH_MAX, budget);
}

function plain(value: unknown, depth: number, budget: { items: number }): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "bigint":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "undefined":
      return null;
    case "object":
      if (value === null) return null;
      break;
    default:
      return String(value);
  }
  if (depth <= 0 || budget.items <= 0) return "…";
  try {
    return plainObject(value, depth, budget);
  } catch {
    return "(unreadable)";
  }
}

function plainObject(value: object, depth: number, budget: { items: number }): Json {
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (value instanceof Error) {
    const { code } = value as { code?: unknown };
    return { ...(typeof code === "string" ? { code } : {}), message: value.message };
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") return plain((toJSON as () => unknown).call(value), depth - 1, budget);
  const within = <T>(all: readonly T[]): readonly T[] => {
    const some = all.slice(0, budget.items);
    budget.items -= some.length;
    return some;
  };
  if (Array.isArray(value) || value instanceof Set) {
    return within([...value]).map((item) => plain(item, depth - 1, budget));
  }
  const entries: readonly [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  const plainEntries = within(entries).map(([key, item]) => [String(key), plain(item, depth - 1, budget)]);
  return Object.fromEntries(plainEntries) as Json;
}
