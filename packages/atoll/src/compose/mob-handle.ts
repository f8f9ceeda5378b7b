/**
 * A mob that runs, as programs use it (spec: mob 2).
 *
 * takes its rooms; gives the methods of section 11 by their names; promises that a call here is checked and done as one over HTTP
 * is; refuses what the method refuses; never gives a way around the table but `rooms`.
 */
import { bindMethods, type MobApi } from "@atoll-run/client";
import { withDeadline } from "@atoll-run/core";
import { MOB_LIMITS, type CloseMobOptions, type Cursor, type Entry, type EntryFilter, type Gap, type Live, type MobRooms, type Outside, type ShutdownReport } from "@atoll-run/mob";
import { callMethod, findMethod, Rights, type Principal, type Role, type Served } from "@atoll-run/mob/internal";
import { systemClock } from "./clock.ts";
import type { ServedMob } from "./mob-http.ts";
import type { Env } from "./place.ts";

export interface MobHandle extends Omit<MobApi, "ledger">, AsyncDisposable {
  readonly ledger: Omit<MobApi["ledger"], "subscribe"> & {
    /**
     * Entries that are there and those that come, in order; `gap` tells of what is gone. It ends with `signal`. Throws `mob.stale_cursor`.
     * @example for await (const one of mob.ledger.subscribe({ member: "scout" }, { after: 0, signal })) console.log(one);
     */
    subscribe(filter: EntryFilter, o: { readonly after?: Cursor; readonly signal: AbortSignal }): AsyncIterable<Entry | Gap | Live>;
  };
  /**
   * The same on behalf of somebody else, who is not at this machine, and may what `[access]` of the definition says of him; without rules,
   * everything, unless `role` says less. Calls throw `mob.denied`, `mob.not_found`.
   * @example await mob.as("ann", { groups: ["support"] }).approvals.decide(id, "approve");
   */
  as(principal: string, o?: ActingAs): MobApi;
  /**
   * Ends it in order. Turns that run may end, queued ones stay. Never throws: what did not end is in the report. Later calls get the same
   * report; with `stepMs` they hurry the end that is under way.
   * @example const { clean, aborted_turns } = await mob.close({ deadlineMs: 10_000 });
   */
  close(o?: CloseMobOptions): Promise<ShutdownReport>;
  /** Undefined: it was started without `http`. */
  readonly http: ServedMob | undefined;
  /** Its own node; undefined: it has none. */
  readonly outside: Outside | undefined;
  /** What it is made of, for code that lives in this process and needs what no method gives. May change with any version. */
  readonly rooms: MobRooms;
}

export interface ActingAs {
  /** As a token or an OpenID provider would name them; rules may be for groups. */
  readonly groups?: readonly string[];
  /** What he may besides what rules say. Default: nothing where there are rules, else everything. */
  readonly role?: Role;
}

/** What a call may take, milliseconds: methods that wait do so for a minute at most. */
const CALL_MS = 75_000;
const LOCAL = "local";

export interface HandleParts {
  readonly http: ServedMob | undefined;
  readonly env?: Env | undefined;
}

export function toHandle(rooms: MobRooms, { http, env = {} }: HandleParts): MobHandle {
  const { clock = systemClock } = env;
  const served: Served = {
    ...rooms, clock, limits: { ...MOB_LIMITS, ...rooms.definition().limits },
    rights: new Rights({ rules: () => rooms.definition().access, view: rooms.view }), lifecycle: { stopping: () => rooms.shutdown.begun, down: () => void rooms.close() },
  };
  const of = (who: () => Principal): MobApi => bindMethods((name, params, { signal } = {}) => withDeadline(
    (until) => callMethod({ served, readOnly: false }, findMethod(name), { params, signal: until, who: who() }),
    { clock, ms: CALL_MS, what: `mob/${name}`, ...signal === undefined ? {} : { signal } },
  ));
  const own = of(() => ({ id: LOCAL, role: "admin", groups: [], local: true, read_only: false }));
  const as: MobHandle["as"] = (id, { groups = [], role } = {}) =>
    of(() => ({ id, role: role ?? (rooms.definition().access === null ? "admin" : "none"), groups, local: false, read_only: false }));
  return {
    ...own, ledger: { ...own.ledger, subscribe: (filter, o) => rooms.ledger.subscribe(filter, o) },
    as, http, rooms, outside: rooms.outside, close: (o) => rooms.close(o), [Symbol.asyncDispose]: () => rooms[Symbol.asyncDispose](),
  };
}
