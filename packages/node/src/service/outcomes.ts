/** What a handler did, as the node is told it (spec: node 2.5, 2.6, 4.15). */
import { isFault, nodeError, type Fault, type NodeError, type Outcome } from "@atoll-run/core";
import type { Codec } from "./codec.ts";
import { Refusal } from "./refusal.ts";
import type { AnyRoute } from "./route.ts";
import { textOf } from "./talk.ts";

/** Never rejects. */
export async function toOutcome(route: AnyRoute, handle: () => unknown): Promise<Outcome> {
  let value: unknown;
  try {
    const given = handle();
    // What is there already is not waited for.
    value = isPromise(given) ? await given : given;
  } catch (error) {
    if (error instanceof Refusal) return refused(route, error, { keeps_writes: false });
    return { is: "failed", fault: toFault(error, route.key) };
  }
  if (value instanceof Refusal) return refused(route, value, { keeps_writes: true });
  if (route.tell) return { is: "done", reply: new Uint8Array() };
  const { output } = route.codecs;
  const what = `output of ${route.key}`;
  const written = output.check === undefined ? encoded(output, value, what) : await write(output, value, what);
  if (!written.ok) return { is: "failed", fault: written.fault };
  return { is: "done", reply: written.bytes, content_type: output.contentType };
}

export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}

/** A business error of a node that the handler has called is in that node's contract, not in ours. */
function toFault(error: unknown, key: string): Fault {
  if (isFault(error) && error.code !== "node.business") return error;
  return nodeError("node.internal", `handler of ${key} failed: ${textOf(error)}`, { cause: error });
}

async function refused(route: AnyRoute, { code, details }: Refusal, o: { keeps_writes: boolean }): Promise<Outcome> {
  const codec = route.codecs.errors.get(code);
  if (codec === undefined) {
    const text = `handler of ${route.key} refused with ${JSON.stringify(code)}, which the route does not declare`;
    return { is: "failed", fault: nodeError("node.internal", text) };
  }
  const text = `${route.key} refused: ${code}`;
  if (codec === null) return { is: "rejected", code, body: new Uint8Array(), text, ...o };
  const written = await write(codec, details, `details of ${code} of ${route.key}`);
  if (!written.ok) return { is: "failed", fault: written.fault };
  return { is: "rejected", code, body: written.bytes, content_type: codec.contentType, text, ...o };
}

type Wrote =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly fault: NodeError };

/** The bytes of a value that is right; what is wrong is our side's fault, not the caller's. */
async function write(codec: Codec, value: unknown, what: string): Promise<Wrote> {
  const checked = codec.check === undefined ? undefined : await codec.check(value);
  if (checked?.ok === false) {
    const { issues } = checked;
    const text = `${what}: not what its schema says: ${issues.join("; ")}`;
    return { ok: false, fault: nodeError("node.internal", text, { facts: { issues } }) };
  }
  return encoded(codec, value, what);
}

function encoded(codec: Codec, value: unknown, what: string): Wrote {
  try {
    return { ok: true, bytes: codec.encode(value) };
  } catch (error) {
    const text = `${what} cannot be written: ${textOf(error)}`;
    return { ok: false, fault: nodeError("node.internal", text, { cause: error }) };
  }
}
