/** Who takes spans and figures of this process, if anybody does. */
import type { Telemetry, TelemetryParts } from "./telemetry.ts";

/** Where the API keeps what is registered: the same in every copy of it in a process. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** Loads the API only when somebody registered an SDK. */
export async function findTelemetry(): Promise<((parts: TelemetryParts) => Telemetry) | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const { openTelemetry } = await import("./open-telemetry.ts");
  return openTelemetry;
}
