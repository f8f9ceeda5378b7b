/**
 * `ab.obs` events on their way to the log: a log call whose fields have `prefix = "ab.obs"` and an `event`
 * becomes the one line that tools read, and its fields lose what may hide a secret (spec: block 9).
 */
import { isSecretKey, maskUrl, obsLine, REDACTED, type TraceContext } from "@atoll-run/core";

export const OBS = "ab.obs";

type Fields = Readonly<Record<string, unknown>>;

export interface ObsEvent {
  readonly event: string;
  readonly component: string;
  /** What the event says beside who asks, masked. */
  readonly kv: Fields;
}

/** Fields that say where a line comes from: every log line has them. */
const PLACES = new Set(["prefix", "event", "component", "script", "isle", "task"]);

/** Undefined for any other log line. */
export function readObs(msg: string, fields: Fields | undefined): ObsEvent | undefined {
  if (fields?.["prefix"] !== OBS) return undefined;
  const event = textOf(fields["event"]) ?? msg;
  const given = Object.entries(fields).filter(([key, value]) => !PLACES.has(key) && value !== undefined);
  return {
    event, component: textOf(fields["component"]) ?? event.split("_", 1)[0] ?? "",
    kv: Object.fromEntries(given.map(([key, value]) => [key, mask(key, value)])),
  };
}

/** The line of an event, and its fields for those who read data. */
export function toObsLog(obs: ObsEvent, fields: Fields, trace: TraceContext): { msg: string; fields: Record<string, unknown> } {
  const { event, component, kv } = obs;
  const places = Object.entries(fields).filter(([key]) => key === "script" || key === "isle" || key === "task");
  return {
    msg: obsLine(event, component, trace, kv),
    fields: { prefix: OBS, event, component, ...kv, ...Object.fromEntries(places) },
  };
}

function mask(key: string, value: unknown): unknown {
  if (isSecretKey(key)) return REDACTED;
  return key === "url" && typeof value === "string" ? maskUrl(value) : value;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
