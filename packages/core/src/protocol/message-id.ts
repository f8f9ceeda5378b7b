/** Ids that we give to requests, streams and envelopes (spec: wire 4). */
import type { Ids } from "../ids.ts";

export function newRequestId(ids: Ids): string {
  return ids.uuid7();
}

/** `<name>/<UUIDv7>`: two streams of one name are never one. */
export function newStreamId(ids: Ids, name: string): string {
  return `${name}/${ids.uuid7()}`;
}

/** Ids of envelopes of one signaling connection: `env-1`, `env-2` … */
export function envelopeIds(): () => string {
  let last = 0;
  return () => `env-${++last}`;
}
