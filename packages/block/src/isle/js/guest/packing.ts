/** Inside an isle: values to text and back. The other half is ../pack.ts. */
import type { Any, Guest } from "./guest.ts";

export function packing(g: Guest): void {
  const { stringify, parse } = JSON;
  const { isArray } = Array;
  const MARK = "\u0001";

  function bytesOf(value: Any): ArrayBuffer | undefined {
    if (value instanceof Uint8Array) return value.slice().buffer as ArrayBuffer;
    return value instanceof ArrayBuffer ? value.slice(0) : undefined;
  }

  g.pack = (value, keep) => {
    const bytes: ArrayBuffer[] = [];
    let marked = false;
    const mark = (text: string): string => {
      marked = true;
      return MARK + text;
    };
    const text = stringify([value], function (this: unknown, _key, v: Any) {
      switch (typeof v) {
        case "string": return v.charCodeAt(0) === 1 ? mark("s" + v) : v;
        case "bigint": return mark("i" + v);
        case "number": return v - v === 0 ? v : mark("n" + v);
        case "undefined": return isArray(this) ? mark("u") : undefined;
        case "function": return mark(keep === undefined ? "xfunction" : "f" + keep(v));
        case "symbol": return mark("xsymbol");
        default: {
          const buffer = v === null ? undefined : bytesOf(v);
          return buffer === undefined ? v : mark("b" + (bytes.push(buffer) - 1));
        }
      }
    });
    return { text: (marked ? "1" : "0") + text, bytes };
  };

  g.unpack = (text, bytes) => {
    const unmark = (v: Any): Any => {
      if (typeof v === "string") return v.charCodeAt(0) === 1 ? marked(v) : v;
      if (typeof v !== "object" || v === null) return v;
      for (const key of Object.keys(v)) {
        const plain = unmark(v[key]);
        if (plain !== v[key]) v[key] = plain;
      }
      return v;
    };
    const marked = (v: string): Any => {
      const rest = v.slice(2);
      switch (v[1]) {
        case "s": return rest;
        case "i": return BigInt(rest);
        case "n": return Number(rest);
        // a copy: what the host made does not count against the memory of the isle
        case "b": return new Uint8Array(new Uint8Array(bytes[Number(rest)] as ArrayBuffer));
        default: return undefined;
      }
    };
    const [value] = parse(text.slice(1));
    return text[0] === "1" ? unmark(value) : value;
  };
}
