/** Who takes the spans of this process, if anybody does. */
import type { SpanFacts, SpanName, Tracer } from "./tracer.ts";

/** Where the API keeps what is registered: the same in every copy of it in a process. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** Loads the API only when somebody registered an SDK. `scope`: who tells the spans. */
export async function findTracer<Name extends string = SpanName, Facts extends object = SpanFacts>(scope = "@atoll-run/node"): Promise<Tracer<Name, Facts> | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const { openTelemetry } = await import("./open-telemetry.ts");
  return openTelemetry(scope);
}
