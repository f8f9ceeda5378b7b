/**
 * The definition in force, as the ledger tells of it (spec: mob 4.1, 5.2 `definition_applied`). Pure.
 *
 * takes definitions; gives entries, and the fold of them; promises that a profile is known as long as somebody lives by it; refuses
 * nothing; never keeps members and edges: they have entries of their own.
 */
import type { Json } from "@atoll-run/core";
import type { NewEntry } from "../ledger/entry.ts";
import { FINAL_STATES, type Life } from "../member/life.ts";
import type { MemberSpec, MobDefinition, Profile } from "./definition.ts";
import { toPartsOf } from "./parts.ts";
import { definitionHash } from "./spec-hash.ts";

export type Profiles = Readonly<Record<string, Profile>>;

export interface Applied {
  /** See {@link definitionHash}. */
  readonly hash: string;
  readonly profiles: Profiles;
  /** Those that a later definition has not, and by which somebody lives. */
  readonly former: Profiles;
}

const SECTIONS = ["profiles", "approvals", "flows", "limits", "prices"] as const;
type Item = readonly [section: typeof SECTIONS[number], name: string, value: Json];

/** Characters of one item: what is longer is left out, its size stands for it. */
const ITEM_CHARS_MAX = 18_000;

/** For one commit. */
export function definitionApplied(definition: MobDefinition, principal: string): readonly NewEntry[] {
  const items = SECTIONS.flatMap((section) => Object.entries(definition[section] ?? {}).map(([name, value]): Item => {
    const { length } = JSON.stringify(value);
    return [section, name, length > ITEM_CHARS_MAX ? { chars: length } : value as Json];
  }));
  const parts = toPartsOf(items);
  const { source = null } = definition;
  return parts.map((some, part) => ({
    kind: "definition_applied", source: "mob", principal, data: {
      ...part === 0 ? { hash: definitionHash(definition), source } : {}, part, parts: parts.length, ...bySection(some),
    },
  }));
}

/** Its data is for who may see who may what. */
export function accessChanged({ access }: Pick<MobDefinition, "access">, principal: string): NewEntry {
  const data = access as unknown as Json;
  const { length } = JSON.stringify(data);
  return { kind: "access_changed", source: "mob", principal, data: { access: length > ITEM_CHARS_MAX ? { chars: length } : data } };
}

function bySection(items: readonly Item[]): Record<string, Json> {
  const sections: Record<string, Record<string, Json>> = {};
  for (const [section, name, value] of items) (sections[section] ??= {})[name] = value;
  return sections;
}

/** Undefined: there is none, or it is too large to stand in an entry. */
export function profileIn(applied: Applied | undefined, name: string): Profile | undefined {
  const { profiles = {}, former = {} } = applied ?? {};
  return Object.hasOwn(profiles, name) ? profiles[name] : Object.hasOwn(former, name) ? former[name] : undefined;
}

interface Somebody {
  readonly spec: MemberSpec;
  readonly life: Life;
}

export function foldApplied(old: Applied | undefined, { data }: Pick<NewEntry, "data">, members: Iterable<Somebody>): Applied {
  const given = Object.entries(data["profiles"] as unknown as Profiles | undefined ?? {}).filter(([, profile]) => "runs" in profile);
  if (data["part"] !== 0 && old !== undefined) return { ...old, profiles: { ...old.profiles, ...Object.fromEntries(given) } };
  const used = new Set([...members].flatMap(({ life, spec }) => FINAL_STATES.includes(life.state) ? [] : [spec.profile]));
  const known = Object.entries({ ...old?.former, ...old?.profiles });
  return {
    hash: String(data["hash"]), profiles: Object.fromEntries(given), former: Object.fromEntries(known.filter(([name]) => used.has(name))),
  };
}

/** The list last given to reconcile: long ones come in parts, all in one commit. */
export function foldDesired(old: readonly MemberSpec[], { data }: Pick<NewEntry, "data">): readonly MemberSpec[] {
  const given = data["desired"] as unknown as readonly MemberSpec[];
  return data["part"] === undefined || data["part"] === 0 ? given : [...old, ...given];
}

/** Rows of a snapshot. */
export function keepApplied(applied: Applied | undefined): readonly Json[] {
  if (applied === undefined) return [];
  const rows = (["profiles", "former"] as const).flatMap((list) => Object.entries(applied[list]).map(([name, profile]) => [list, name, profile as unknown as Json]));
  return [applied.hash, ...rows];
}

export function appliedOf([hash, ...rows]: readonly Json[]): Applied | undefined {
  if (typeof hash !== "string") return undefined;
  const of = (list: string): Profiles =>
    Object.fromEntries((rows as unknown as readonly (readonly [string, string, Profile])[]).filter(([one]) => one === list).map(([, name, profile]) => [name, profile]));
  return { hash, profiles: of("profiles"), former: of("former") };
}
