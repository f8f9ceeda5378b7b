/** What somebody sees of the ledger (spec: mob 11.10): what is of members he may look at, and what is the mob's own if he may see that. */
import type { Entry, Live } from "../ledger/entry.ts";
import type { Principal } from "./access.ts";
import type { Rights } from "./rights.ts";

export interface Sight {
  /** Everything there is and will be. */
  readonly all: boolean;
  /** Those who have equal ones see the same. */
  readonly key: string;
  entry(entry: Entry): boolean;
  live(live: Live): boolean;
}

/** As the rules are now, and when it is used. */
export function sightOf(rights: Rights, who: Principal): Sight {
  const [ledger, member] = [rights.of(who, "ledger.view"), rights.of(who, "member.view")];
  const all = ledger.all && member.all;
  const sees = (of: string): boolean => ledger.on(of) && !member.denies(of);
  return {
    all, key: all ? "" : `${ledger.key}/${member.key}`,
    entry: (entry) => {
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
