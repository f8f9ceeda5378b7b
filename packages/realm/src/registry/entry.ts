/** One node in the registry (spec: node 7.8). */
import { formatType, type NodeId } from "@atoll-run/core";
import { Availability, type Rule, type ServiceSpec } from "@atoll-run/core/internal";

export interface Place {
  readonly region?: string;
  readonly latitude?: number;
  readonly longitude?: number;
}

/** What a node says of itself when it registers. */
/** What of a description is held in memory; its sources are read when somebody asks for them. */
export interface Summary {
  readonly name: string;
  readonly fingerprint: string;
  readonly description: string;
  readonly tags: readonly string[];
  /** As the node wrote it, decimal; "" = not said. */
  readonly published_at: string;
}

export function summarize(spec: ServiceSpec): Summary {
  const { name, fingerprint, description, tags, publishedAt } = spec;
  return { name, fingerprint, description, tags, published_at: publishedAt === 0n ? "" : publishedAt.toString() };
}

export interface Described {
  readonly id: NodeId;
  /** Text of the id. */
  readonly text: string;
  readonly spec: Summary | undefined;
  readonly address: string | undefined;
  readonly node_key: Uint8Array | undefined;
  readonly rules: readonly Rule[] | undefined;
}

export interface Entry extends Described {
  readonly type: string;
  readonly place: Place;
  /** Wall clock of its last sign of life. */
  readonly seen_at_ms: number;
  /** As it is stored. */
  readonly kept_at_ms: number;
  /** Monotonic time of the last ping; undefined = stale, it is not offered. */
  readonly pinged_at_ms: number | undefined;
  readonly availability: Availability;
  readonly power: number;
  readonly backlog: number;
  /** Ids of clients that should come back to it. */
  readonly sticky: ReadonlySet<string>;
}

export function newEntry(described: Described, seenAtMs: number): Entry {
  return {
    ...described, type: formatType(described.id.type), place: toPlace(described.spec?.tags ?? []), seen_at_ms: seenAtMs,
    kept_at_ms: seenAtMs,
    pinged_at_ms: undefined, availability: Availability.UNAVAILABLE, power: 0, backlog: 0, sticky: new Set(),
  };
}

/** Whether it is offered at all: it has pinged, and it is not going away. */
export function isUp(entry: Entry): boolean {
  return entry.pinged_at_ms !== undefined && entry.availability !== Availability.UNAVAILABLE;
}

/** The protocol has no field for the place of a service; its tags `region=<name>` and `geo=<lat>,<lon>` say it. */
function toPlace(tags: readonly string[]): Place {
  const region = tags.find((tag) => tag.startsWith("region="))?.slice("region=".length);
  const [latitude, longitude] = (tags.find((tag) => tag.startsWith("geo="))?.slice("geo=".length) ?? "").split(",")
    .map((text) => text.trim() === "" ? Number.NaN : Number(text));
  const isPlace = latitude !== undefined && longitude !== undefined && Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  return { ...region === undefined ? {} : { region }, ...isPlace ? { latitude, longitude } : {} };
}
