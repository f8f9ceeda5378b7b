/**
 * Views of the ledger (spec: mob 5.5): which entries, and how each of them is shown. One table; an event has the same id in all
 * of them. Pure.
 */
import type { Json } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import type { Entry, EntryClass, EntryFilter, EntryKind, LabelSet } from "./entry.ts";

/** What has become of the mob itself, and who did it to whom. */
export interface StructuralEvent {
  readonly event_id: string;
  readonly cursor: string;
  readonly mob_id: string;
  readonly timestamp_ms: number;
  readonly kind: EntryKind;
  readonly run_id?: string;
  readonly step_id?: string;
  readonly agent_identity?: string;
  readonly mob_labels: LabelSet;
  readonly run_labels: LabelSet;
  readonly data: { readonly [key: string]: Json };
}

/** Any entry, in one shape. */
export interface UnifiedEvent {
  readonly event_id: string;
  readonly cursor: string;
  readonly source: string;
  readonly timestamp_ms: number;
  readonly event: {
    readonly class: EntryClass;
    readonly type: EntryKind;
    readonly agent_id?: string;
    readonly turn_id?: string;
    readonly run_id?: string;
    readonly payload: { readonly [key: string]: Json };
  };
}

export type ViewEvent = StructuralEvent | UnifiedEvent;

interface LedgerView {
  readonly filter: EntryFilter;
  readonly show: (entry: Entry, cursor: string) => ViewEvent;
}

const PLAIN: Readonly<Record<string, LedgerView>> = {
  structural: { filter: { classes: ["structural"] }, show: toStructural },
  unified: { filter: {}, show: toUnified },
  agent: { filter: { classes: ["agent"] }, show: toUnified },
  audit: { filter: { classes: ["audit"] }, show: toUnified },
  errors: { filter: { classes: ["error"] }, show: toUnified },
};
const OF_ONE: Readonly<Record<string, (id: string) => LedgerView>> = {
  run: (run_id) => ({ filter: { run_id }, show: toUnified }),
  member: (member) => ({ filter: { member }, show: toUnified }),
};
export const LEDGER_VIEWS: readonly string[] = [...Object.keys(PLAIN), ...Object.keys(OF_ONE).map((of) => `${of}:<id>`)];

/** Throws `mob.invalid_params` for one that is not there. */
export function readView(name: string): LedgerView {
  const [, of = "", id = ""] = /^(\w+):(.+)$/.exec(name) ?? [];
  const view = Object.hasOwn(PLAIN, name) ? PLAIN[name] : Object.hasOwn(OF_ONE, of) ? OF_ONE[of]?.(id) : undefined;
  if (view !== undefined) return view;
  throw mobError("mob.invalid_params", `there is no view ${JSON.stringify(name)}`, {
    facts: { path: "view" }, hint: `Views are ${LEDGER_VIEWS.join(", ")}.`,
  });
}

function toStructural({ seq, mob, ts_ms, kind, run_id, step_id, member, labels, data }: Entry, cursor: string): StructuralEvent {
  return {
    event_id: eventId(seq), cursor, mob_id: mob, timestamp_ms: ts_ms, kind, ...run_id === undefined ? {} : { run_id },
    ...step_id === undefined ? {} : { step_id }, ...member === undefined ? {} : { agent_identity: member },
    mob_labels: labels?.mob ?? {}, run_labels: labels?.run ?? {}, data,
  };
}

function toUnified({ seq, source, ts_ms, class: of, kind, member, turn_id, run_id, data }: Entry, cursor: string): UnifiedEvent {
  return {
    event_id: eventId(seq), cursor, source, timestamp_ms: ts_ms,
    event: {
      class: of, type: kind, ...member === undefined ? {} : { agent_id: member }, ...turn_id === undefined ? {} : { turn_id },
      ...run_id === undefined ? {} : { run_id }, payload: data,
    },
  };
}

function eventId(seq: number): string {
  return `mob-evt-${seq}`;
}
