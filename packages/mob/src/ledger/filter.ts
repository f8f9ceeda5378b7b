/** Which entries somebody asks for. */
import type { Entry, EntryFilter } from "./entry.ts";

const SAME = ["member", "generation", "turn_id", "run_id", "step_id", "principal"] as const;

/** All that is named must hold. */
export function toMatch(filter: EntryFilter): (entry: Entry) => boolean {
  const { classes, kinds } = filter;
  const same = SAME.filter((name) => filter[name] !== undefined);
  return (entry) => (classes === undefined || classes.includes(entry.class))
    && (kinds === undefined || kinds.includes(entry.kind))
    && same.every((name) => entry[name] === filter[name]);
}
