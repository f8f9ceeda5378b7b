/** Edges as their entries make them, and whom each member is wired to (spec: mob 4.3). Reads no clock and no store. */
import { keyOf, type Edge, type EdgeNow, type EdgeOwner } from "../edges/plan.ts";
import type { Entry } from "../ledger/entry.ts";

export class Wiring {
  readonly #edges = new Map<string, EdgeNow>();
  /** Member → whom it is wired to. */
  readonly #wired = new Map<string, Set<string>>();

  get edges(): ReadonlyMap<string, EdgeNow> {
    return this.#edges;
  }

  /** Neighbours, sorted. */
  of(id: string): readonly string[] {
    return [...this.#wired.get(id) ?? []].sort();
  }

  has(x: string, y: string): boolean {
    return this.#wired.get(x)?.has(y) === true;
  }

  fold({ kind, data }: Entry): void {
    const { a, b } = data as unknown as Edge;
    const old = this.#edges.get(keyOf({ a, b }));
    const owner = data["owner"] as EdgeOwner | undefined;
    switch (kind) {
      case "members_wired": {
        const own = owner ?? old?.owner;
        return this.set({ a, b, wired: true, ...own === undefined ? {} : { owner: own } });
      }
      case "edge_suppressed": return this.set({ a, b, wired: false, suppressed: true });
      // With an owner it is to be wired again.
      case "members_unwired": if (owner !== undefined) return this.set({ a, b, wired: false, owner });
    }
    this.#edges.delete(keyOf({ a, b }));
    this.#link({ a, b, wired: false });
  }

  set(edge: EdgeNow): void {
    this.#edges.set(keyOf(edge), edge);
    this.#link(edge);
  }

  #link({ a, b, wired }: EdgeNow): void {
    for (const [from, to] of [[a, b], [b, a]] as const) {
      const links = this.#wired.get(from) ?? new Set();
      if (wired) this.#wired.set(from, links.add(to));
      else if (links.delete(to) && links.size === 0) this.#wired.delete(from);
    }
  }
}
