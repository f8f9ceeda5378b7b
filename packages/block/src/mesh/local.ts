/** Blocks of one process as peers: the mesh without a network. Payloads are copied, so peers share nothing. */
import { type CallOpts, type Json, type Mesh, parseJson, stringifyJson } from "@atoll-run/core";
import { blockError } from "../errors.ts";

type Serve = (from: string, payload: Json, o: CallOpts) => Promise<Json>;

export interface LocalMesh {
  /** A member under an address of its own. Throws when the address is taken. */
  join(id: string): Mesh;
}

export function createLocalMesh(): LocalMesh {
  const peers = new Map<string, Serve | null>();
  return {
    join(id) {
      if (peers.has(id)) throw blockError("mesh.connect_failed", `mesh error: connect to ${id} failed: the address is taken`);
      peers.set(id, null);
      return {
        id,
        async request(to, payload, o) {
          const serve = peers.get(to);
          if (serve === undefined) throw blockError("mesh.rejected", `mesh error: no peer '${to}'`, { facts: { to } });
          if (serve === null) throw blockError("mesh.rejected", `mesh error: peer '${to}' serves nothing`, { facts: { to } });
          return copy(await within(serve, { id, to, payload: copy(payload) }, o));
        },
        serve(fn) {
          peers.set(id, fn);
          return { [Symbol.dispose]: () => void peers.delete(id) };
        },
      };
    },
  };
}

/** The caller's time and cancel reach the one who serves; the caller waits no longer than its time. */
async function within(serve: Serve, call: { id: string; to: string; payload: Json }, o: CallOpts): Promise<Json> {
  const abort = new AbortController();
  const late = Promise.withResolvers<never>();
  const stop = (error: Error): void => {
    abort.abort(error);
    late.reject(error);
  };
  const cancel = (): void => stop(blockError("run.cancelled", "cancelled"));
  const timer = setTimeout(() => stop(blockError("mesh.timeout", `mesh error: request to '${call.to}' timed out after ${o.deadlineMs} ms`)), o.deadlineMs);
  o.signal.addEventListener("abort", cancel, { once: true });
  try {
    return await Promise.race([serve(call.id, call.payload, { ...o, signal: abort.signal }), late.promise]);
  } finally {
    clearTimeout(timer);
    o.signal.removeEventListener("abort", cancel);
  }
}

function copy(payload: Json): Json {
  const written = stringifyJson(payload);
  if (!written.ok) throw blockError("json.encode", `mesh error: ${written.problem}`);
  const parsed = parseJson(written.text, { floats: true });
  if (!parsed.ok) throw blockError("json.decode", `mesh error: ${parsed.problem}`);
  return parsed.value;
}
