/**
 * Rows of members as somebody sees them on a stream (spec: mob 3.4, 11.6, 11.10).
 *
 * takes the view and whom he may look at; gives rows as they are when they are asked for, never older than the entry they are asked for;
 * promises that whoever has had all of them once, and each that an entry touches, has them as they are; refuses nothing; never names a
 * member that he has not been shown: where it is not known whether he was, all of his are told anew.
 */
import type { Entry } from "../ledger/entry.ts";
import type { MemberRow } from "../member/row.ts";
import { listMembers } from "../roster/query.ts";
import { changesAllRows, changesWhoIsSeen, isEdge, touchedBy } from "../roster/touched.ts";
import type { View } from "../roster/view.ts";
import type { Right } from "./rights.ts";
import { shownRow } from "./sight.ts";

export interface RowsParts {
  readonly view: View;
  /** `member.view`. */
  readonly right: Right;
  /** He has asked for this one alone. */
  readonly only?: string | undefined;
}

/** Of a member; null: it is not there any more. */
export interface ToldRow {
  readonly member: string;
  readonly row: MemberRow | null;
}

const PAGE = 64;

export class Rows {
  readonly #parts: RowsParts;
  readonly #sees: (member: string) => boolean;

  constructor(parts: RowsParts) {
    this.#parts = parts;
    const { right } = parts;
    this.#sees = (member) => right.all || right.on(member);
  }

  /** Those that have equal ones give the same. */
  get key(): string {
    const { right, only } = this.#parts;
    return JSON.stringify([right.all ? null : right.key, only]);
  }

  /** `seq` of the entry that they are as of. */
  get seq(): number {
    return this.#parts.view.seq;
  }

  /** After that entry all of them are to be told anew: it does not say which have changed, or come, or gone for him. */
  renews(entry: Entry): boolean {
    return changesAllRows(entry) || !this.#parts.right.all && changesWhoIsSeen(entry);
  }

  /** Members whose rows it may change. */
  touched(entry: Entry): readonly string[] {
    const { only } = this.#parts;
    const ids = touchedBy(entry);
    // Of an edge he does not see, he sees nothing in the row of the end that he does.
    if (isEdge(entry.kind) && !ids.every(this.#sees)) return [];
    return ids.filter((id) => (only === undefined || id === only) && this.#sees(id));
  }

  /** As it is now. Undefined: it is nothing to him. */
  of(member: string): ToldRow | undefined {
    if (!this.#sees(member)) return undefined;
    const row = this.#parts.view.row(member);
    return { member, row: row === undefined ? null : shownRow(row, this.#sees) };
  }

  /** Some of them, by id, after that one; `next`: there may be more. */
  page(after: string | undefined): { readonly rows: readonly ToldRow[]; readonly next?: string } {
    const { view, only } = this.#parts;
    if (only !== undefined) {
      const row = this.of(only);
      return { rows: row?.row === null || row === undefined ? [] : [row] };
    }
    const { members, next } = listMembers(view, { after, limit: PAGE, only: this.#sees });
    return { rows: members.map((row) => ({ member: row.id, row: shownRow(row, this.#sees) })), ...next === undefined ? {} : { next } };
  }
}
