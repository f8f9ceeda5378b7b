/** Which nodes of a type are offered, and in which order. Pure. */
import {
  Availability, RouteCandidatesRequest_Criteria_DependencyHealth as DependencyHealth,
  RouteCandidatesRequest_Criteria_RankingFactor as Factor,
} from "@atoll-run/core/internal";
import { isUp, type Entry, type Place } from "./entry.ts";

export interface RankingQuery {
  /** Text of the caller's id. */
  readonly caller: string;
  readonly factors: readonly Factor[];
  readonly fingerprint: string;
  readonly dependency: DependencyHealth | undefined;
  readonly health: Availability | undefined;
  readonly place: Place | undefined;
  readonly limit: number;
}

/** Lower is better. */
type Score = (entry: Entry, query: RankingQuery) => number;

const SCORES: Readonly<Record<Factor, Score>> = {
  [Factor.MAXIMUM_POWER_RESERVE]: ({ power }) => -power,
  [Factor.MINIMUM_MAILBOX_BACKLOG]: ({ backlog }) => backlog,
  [Factor.EXACT_MATCH_FIRST]: (entry, { fingerprint }) => entry.spec?.fingerprint === fingerprint ? 0 : 1,
  [Factor.NEAREST]: (entry, { place }) => distance(entry.place, place),
  [Factor.CLIENT_AFFINITY]: (entry, { caller }) => entry.sticky.has(caller) ? 0 : 1,
};

/** When nobody says what matters: the healthiest, then the one with most room. */
const USUAL: readonly Score[] = [
  ({ availability }) => availability, ({ power }) => -power, ({ backlog }) => backlog,
];

/** `random` breaks ties, so that equals share the load. */
export function rank(entries: readonly Entry[], query: RankingQuery, random: () => number): readonly Entry[] {
  const scores = query.factors.length === 0 ? USUAL : [...query.factors.map((factor) => SCORES[factor]), ...USUAL];
  return entries.filter((entry) => isGood(entry, query))
    .map((entry) => ({ entry, scores: [...scores.map((score) => score(entry, query)), random()] }))
    .sort((a, b) => compare(a.scores, b.scores))
    .slice(0, query.limit).map(({ entry }) => entry);
}

function isGood(entry: Entry, { health, dependency, fingerprint }: RankingQuery): boolean {
  if (!isUp(entry) || entry.availability > (health ?? Availability.OVERLOADED)) return false;
  // A fingerprint tells equal from different and no more: what differs may still work, so it is a warning.
  if (dependency === DependencyHealth.HEALTHY) return entry.spec?.fingerprint === fingerprint;
  return dependency !== DependencyHealth.WARNING || entry.spec !== undefined;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [at, score] of a.entries()) {
    const other = b[at] ?? 0;
    if (score !== other) return score < other ? -1 : 1;
  }
  return 0;
}

const EARTH_KM = 6_371;
const SAME_REGION_KM = 1;
const FAR = Number.MAX_VALUE;

/** Kilometres; one region is near, what is not known is far. */
function distance(a: Place, b: Place | undefined): number {
  if (b === undefined) return 0;
  if (a.latitude !== undefined && a.longitude !== undefined && b.latitude !== undefined && b.longitude !== undefined) {
    const [lat1, lat2, lon] = [a.latitude, b.latitude, b.longitude - a.longitude].map((deg) => deg * Math.PI / 180);
    const chord = Math.sin((toNumber(lat2) - toNumber(lat1)) / 2) ** 2
      + Math.cos(toNumber(lat1)) * Math.cos(toNumber(lat2)) * Math.sin(toNumber(lon) / 2) ** 2;
    return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
  }
  return a.region !== undefined && a.region === b.region ? SAME_REGION_KM : FAR;
}

function toNumber(value: number | undefined): number {
  return value ?? 0;
}
