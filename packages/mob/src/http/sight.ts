/**
 * What somebody sees of the ledger (spec: mob 11.10): what is of members he may look at, and what is the mob's own if he may see that; the
 * rules of who may what as `access/get` shows them.
 */
import type { Entry, Live } from "../ledger/entry.ts";
import type { Principal } from "./access.ts";
import type { Rights } from "./rights.ts";

export interface Sight {
  /** Those who have equal ones see the same. */
  readonly key: string;
  entry(entry: Entry): boolean;
  live(live: Live): boolean;
}

/** As the rules are now, and when it is used. */
export function sightOf(rights: Rights, who: Principal): Sight {
  const [ledger, member, access] = [rights.of(who, "ledger.view"), rights.of(who, "member.view"), rights.of(who, "access.admin").mob];
  const all = ledger.all && member.all;
  const sees = (of: string): boolean => ledger.on(of) && !member.denies(of);
  return {
    key: `${access ? "" : "!"}${all ? "" : `${ledger.key}/${member.key}`}`,
    entry: (entry) => {
      if (entry.kind === "access_changed" && !access) return false;
      if (all) return true;
      const of = membersOf(entry);
      return of.length === 0 ? ledger.mob : of.every(sees);
    },
    live: ({ member: of }) => all || (of === undefined ? ledger.mob : sees(of)),
  };
}

/** An edge is of both its ends. */
function membersOf({ member, kind, data: { a, b } }: Entry): readonly string[] {
  const ends = kind.startsWith("members_") || kind.startsWith("edge_") ? [a, b].filter((end) => typeof end === "string") : [];
  return member === undefined ? ends : [member, ...ends];
}
