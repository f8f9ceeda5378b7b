/** Tags as stored, and the filter that compares them with their types. */
import type { TagValue } from "@atoll-run/core";

export type Tags = Readonly<Record<string, TagValue>>;

/** Texts whose verdict is remembered during one query: series repeat few sets of tags. */
const VERDICTS_MAX = 10_000;

/** JSON object, keys sorted, integers with all their digits. */
export function tagsToJson(tags: Tags): string {
  const parts = Object.keys(tags).sort().map((key) => {
    const value = tags[key];
    return `${JSON.stringify(key)}:${typeof value === "bigint" ? value.toString() : JSON.stringify(value)}`;
  });
  return `{${parts.join(",")}}`;
}

/** Says of a stored text whether it has all the wanted tags. */
export function tagFilter(wanted: Tags): (stored: string) => boolean {
  const entries = Object.entries(wanted);
  if (entries.length === 0) return () => true;
  const verdicts = new Map<string, boolean>();
  return (stored) => {
    const known = verdicts.get(stored);
    if (known !== undefined) return known;
    const tags = parseTags(stored);
    const verdict = entries.every(([key, value]) => Object.hasOwn(tags, key) && isSame(tags[key], value));
    if (verdicts.size < VERDICTS_MAX) verdicts.set(stored, verdict);
    return verdict;
  };
}

function parseTags(stored: string): Readonly<Record<string, unknown>> {
  return JSON.parse(stored, (_key, value: unknown, { source = "" }: { source?: string } = {}) => {
    const cut = typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source);
    return cut ? BigInt(source) : value;
  }) as Record<string, unknown>;
}

/** 1 and "1" differ, 1 and 1n do not. */
function isSame(stored: unknown, wanted: TagValue): boolean {
  if (typeof wanted === "bigint" || typeof wanted === "number") {
    // `==` between number and bigint compares their mathematical values.
    return (typeof stored === "number" || typeof stored === "bigint") && sameNumber(stored, wanted);
  }
  return stored === wanted;
}

function sameNumber(a: number | bigint, b: number | bigint): boolean {
  return !(a < b) && !(a > b);
}
