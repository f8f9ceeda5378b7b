/** Which entries somebody asks for. */
import type { Entry, EntryFilter, LabelSet } from "./entry.ts";

const SAME = ["member", "generation", "turn_id", "run_id", "step_id", "principal"] as const;

/** All that is named must hold. */
export function toMatch(filter: EntryFilter): (entry: Entry) => boolean {
  const { classes, kinds, session_id, label } = filter;
  const [name = "", ...value] = label?.split("=") ?? [];
  const isLabelled = (labels: LabelSet | undefined): boolean => labels !== undefined
    && (value.length === 0 ? Object.hasOwn(labels, name) : labels[name] === value.join("="));
  const same = SAME.filter((of) => filter[of] !== undefined);
  return (entry) => (classes === undefined || classes.includes(entry.class))
    && (kinds === undefined || kinds.includes(entry.kind))
    && same.every((of) => entry[of] === filter[of])
    && (session_id === undefined || entry.session?.id === session_id)
    && (label === undefined || isLabelled(entry.labels?.mob) || isLabelled(entry.labels?.run) || isLabelled(entry.labels?.member));
}
