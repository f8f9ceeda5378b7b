/**
 * A `KvStore` in memory: for tests that need no file, and as the model that other drivers are compared
 * with.
 */
import { compareBytes, Fault, type KvStore, type StoreCall } from "@atoll-run/core";

/** Keeps nothing after it is disposed. Answers in the order of the calls. */
export function memoryKv(): KvStore {
  const spaces = new Map<string, Map<string, string>>();
  let closed = false;
  const enter = (op: string, ns: string, { signal }: StoreCall): Map<string, string> => {
    if (ns === "" || ["/", "\\", "\0", ".."].some((part) => ns.includes(part))) {
      throw new Fault({ code: "kv.namespace", text: `Invalid namespace: '${ns}'`, facts: { namespace: ns } });
    }
    if (closed) throw new Fault({ code: "kv.failed", text: `kv.${op} sql error: the store is closed` });
    if (signal?.aborted) throw new Fault({ code: "kv.cancelled", text: `task cancelled during kv.${op}` });
    const space = spaces.get(ns) ?? new Map<string, string>();
    spaces.set(ns, space);
    return space;
  };
  return {
    get: async (ns, key, call) => enter("get", ns, call).get(key),
    set: async (ns, key, json, call) => void enter("set", ns, call).set(key, json),
    delete: async (ns, key, call) => enter("delete", ns, call).delete(key),
    list: async (ns, prefix, call) =>
      [...enter("list", ns, call).keys()].filter((key) => key.startsWith(prefix)).sort(compareBytes),
    [Symbol.asyncDispose]: async () => void (closed = true),
  };
}
