/**
 * What is not as it should be, while the mob runs (spec: mob 2.3).
 *
 * takes the view and what the ledger tells; gives reasons, none when all is well; promises that a reason goes with its cause;
 * refuses nothing; never is a second truth: who is broken stands in the view.
 */
import type { Entry } from "../ledger/entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { ReconcileReport } from "../reconcile/report.ts";
import type { View } from "../roster/view.ts";

export interface Reason {
  readonly code: "member_broken" | "reconcile_incomplete" | "storage_degraded";
  readonly text: string;
  readonly member?: string;
}

/** More are not told one by one. */
const BROKEN_SHOWN = 32;

export class Health {
  readonly #view: View;
  readonly #ledger: Pick<Ledger, "degraded">;
  #incomplete: string | undefined;

  constructor(view: View, ledger: Pick<Ledger, "degraded">) {
    this.#view = view;
    this.#ledger = ledger;
  }

  readonly hear = ({ kind, data }: Entry): void => {
    if (kind === "reconcile_incomplete") this.#incomplete = textOf(data) ?? `${String(data["failed"] ?? 0)} members or edges are not what they are to be`;
  };

  /** A pass that has left nothing open. */
  reconciled({ complete }: ReconcileReport): void {
    if (complete) this.#incomplete = undefined;
  }

  /** `only`: members that are told of. */
  reasons(only: (member: string) => boolean = () => true): readonly Reason[] {
    const { degraded } = this.#ledger;
    const broken: Reason[] = [];
    let more = 0;
    for (const [member, { life, last_error }] of this.#view.members) {
      if (life.state !== "broken" || !only(member)) continue;
      if (broken.length < BROKEN_SHOWN) broken.push({ code: "member_broken", text: `${member} is broken: ${last_error?.text ?? ""}`, member });
      else more += 1;
    }
    return [
      ...broken, ...more === 0 ? [] : [{ code: "member_broken" as const, text: `${more} more members are broken` }],
      ...this.#incomplete === undefined ? [] : [{ code: "reconcile_incomplete" as const, text: this.#incomplete }],
      ...degraded === undefined ? [] : [{ code: "storage_degraded" as const, text: `the store takes no writes (${degraded.cause}): ${degraded.text}` }],
    ];
  }
}

function textOf({ error }: Entry["data"]): string | undefined {
  return typeof error === "object" && error !== null && "text" in error ? String(error.text) : undefined;
}
