/** A validator as any library of schemas makes it. */
import type { StandardSchema } from "@atoll-run/node";

type Kinds = Readonly<Record<string, "string" | "number">>;
type Shape<K extends Kinds> = { -readonly [F in keyof K]: K[F] extends "string" ? string : number };

/** An object with exactly these fields. */
export function shape<const K extends Kinds>(kinds: K): StandardSchema<Shape<K>, Shape<K>> {
  return { "~standard": { version: 1, vendor: "test", validate: (value) => {
    const given = (value ?? {}) as Readonly<Record<string, unknown>>;
    const issues = Object.entries(kinds).filter(([field, kind]) => typeof given[field] !== kind)
      .map(([field, kind]) => ({ message: `expected a ${kind}`, path: [field] }));
    return issues.length === 0 ? { value: value as Shape<K> } : { issues };
  } } };
}

/** Text on the wire, a date for whoever reads it. */
export const isoDate: StandardSchema<string, Date> = { "~standard": { version: 1, vendor: "test", validate: async (value) => {
  const date = new Date(String(value));
  return Number.isNaN(date.getTime()) ? { issues: [{ message: "expected a date" }] } : { value: date };
} } };
