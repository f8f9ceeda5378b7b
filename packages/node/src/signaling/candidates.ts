/** Who has a type, as the realm says it (spec: node 5.14; wire 2): the question and its answer. */
import {
  formatNodeId, nodeError, parseType, type ActorType, type Candidate, type NodeId,
} from "@atoll-run/core";
import {
  CandidateInfoSchema, fromActrId, isFieldSet, RouteCandidatesRequest_Criteria_RankingFactor as Factor,
  type Availability, type CandidateInfo, type RouteCandidatesResponse,
} from "@atoll-run/core/internal";
import { fromErrorResponse } from "../identity/realm-errors.ts";
import type { Ask, Told } from "./questions.ts";

export type Ranking = "power" | "backlog" | "exact" | "nearest" | "affinity";

export interface Wishes {
  /** The first factor decides, the next ones where it is equal. */
  readonly ranking?: readonly Ranking[];
  readonly minimum_health?: Candidate["availability"];
  readonly location?: { readonly region?: string; readonly latitude?: number; readonly longitude?: number };
  /** Of the service as the lock file names it; absent = any. */
  readonly fingerprint?: string;
}

export interface Found {
  readonly id: NodeId;
  readonly candidate: Candidate;
  readonly ws_addresses: readonly string[];
  readonly node_key?: Uint8Array;
  /** How long its address is good. */
  readonly ttl_ms: number | undefined;
}

const FACTORS: Readonly<Record<Ranking, Factor>> = {
  power: Factor.MAXIMUM_POWER_RESERVE, backlog: Factor.MINIMUM_MAILBOX_BACKLOG, exact: Factor.EXACT_MATCH_FIRST,
  nearest: Factor.NEAREST, affinity: Factor.CLIENT_AFFINITY,
};
const LEVELS = ["full", "degraded", "overloaded", "unavailable"] as const;

/** Throws `node.invalid_argument` for what is no type. */
export function readType(type: string): ActorType {
  const read = parseType(type);
  if (read === undefined) throw nodeError("node.invalid_argument", `${JSON.stringify(type)} is not manufacturer:name:version`);
  return read;
}

export function candidatesAsk(type: ActorType, count: number, wishes: Wishes): Ask {
  const { ranking = [], minimum_health: health, location, fingerprint = "" } = wishes;
  return { case: "routeCandidatesRequest", value: {
    targetType: type, clientFingerprint: fingerprint, ...location === undefined ? {} : { clientLocation: location },
    criteria: {
      candidateCount: count, rankingFactors: ranking.map((one) => FACTORS[one]),
      ...health === undefined ? {} : { minimalHealthRequirement: LEVELS.indexOf(health) as Availability },
    },
  } };
}

/** In the order of the realm. Throws what it refused the question with. */
export function toFound(told: Told): readonly Found[] {
  if (told.case !== "routeCandidatesResponse") throw nodeError("node.decode_failure", "the realm answered something else");
  const { result } = told.value;
  if (result.case === "error") throw fromErrorResponse(result.value);
  if (result.case !== "success") throw nodeError("node.decode_failure", "the realm answered nothing");
  const { candidates, wsAddressMap, info } = result.value;
  const infos = byId(info, ({ id }) => id);
  const addresses = byId(wsAddressMap, ({ candidateId }) => candidateId);
  return candidates.flatMap((one) => {
    const id = fromActrId(one);
    if (id === undefined) return [];
    const text = formatNodeId(id);
    return [toOne(id, infos.get(text), addresses.get(text)?.wsAddress ?? "")];
  });
}

function toOne(id: NodeId, info: CandidateInfo | undefined, address: string): Found {
  const { field } = CandidateInfoSchema;
  const availability = info !== undefined && isFieldSet(info, field.availability) ? LEVELS[info.availability] : undefined;
  const more = info?.wsAddresses ?? [];
  return {
    id, ws_addresses: [...new Set(address === "" ? more : [address, ...more])],
    ttl_ms: info !== undefined && isFieldSet(info, field.ttlMs) ? info.ttlMs : undefined,
    ...info !== undefined && isFieldSet(info, field.nodeKey) ? { node_key: info.nodeKey } : {},
    candidate: {
      id: formatNodeId(id), ...availability === undefined ? {} : { availability },
      ...info !== undefined && isFieldSet(info, field.powerReserve) ? { power_reserve: info.powerReserve } : {},
      ...info !== undefined && isFieldSet(info, field.mailboxBacklog) ? { mailbox_backlog: info.mailboxBacklog } : {},
    },
  };
}

type Success = Extract<RouteCandidatesResponse["result"], { readonly case: "success" }>["value"];

function byId<T extends Success["info"][number] | Success["wsAddressMap"][number]>(
  items: readonly T[], idOf: (item: T) => Parameters<typeof fromActrId>[0] | undefined,
): ReadonlyMap<string, T> {
  return new Map(items.flatMap((item) => {
    const message = idOf(item);
    const id = message === undefined ? undefined : fromActrId(message);
    return id === undefined ? [] : [[formatNodeId(id), item] as const];
  }));
}
