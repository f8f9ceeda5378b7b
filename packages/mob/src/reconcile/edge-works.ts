/**
 * Wires and unwires (spec: mob 4.3, 4.4).
 *
 * takes two members; gives an edge, or none; promises that an edge is one entry, so that there is never half of one, and that one edge
 * is worked on by one at a time; refuses members that are not there; never wakes anybody. Who may send to whom is asked of the roster.
 */
import { keyOf, toEdge, type Edge, type EdgeDeed, type EdgeNow, type EdgeOwner } from "../edges/plan.ts";
import { mobError } from "../errors.ts";
import type { EntryKind } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import { FINAL_STATES } from "../member/life.ts";
import type { View } from "../roster/view.ts";
import { ByKey } from "../bounded.ts";

export interface EdgeWorksParts {
  readonly ledger: Ledger;
  readonly writer: Writer;
  readonly view: View;
  readonly limits: Pick<MobLimits, "edgesPerMember">;
}

export interface EdgeWorks {
  /** Does one deed of a plan; throws `mob.overloaded`, or what the store throws: the edge is as it was. */
  work(edge: Edge, deed: NonNullable<EdgeDeed>, principal: string): Promise<void>;
  /** One at a time for an edge. */
  alone<T>(edge: Edge, then: () => Promise<T>): Promise<T>;
  /** By an operator: reconcile leaves it alone. Throws `mob.not_found`, `mob.conflict`. */
  wire(x: string, y: string, principal: string): Promise<EdgeNow>;
  /** `hold`: it stays so until it is released, whoever wants it. */
  unwire(x: string, y: string, o: { readonly principal: string; readonly hold?: boolean | undefined }): Promise<void>;
  release(x: string, y: string, principal: string): Promise<void>;
}

export function createEdgeWorks(parts: EdgeWorksParts): EdgeWorks {
  return new Works(parts);
}

class Works implements EdgeWorks {
  readonly #parts: EdgeWorksParts;
  readonly #byKey = new ByKey();

  constructor(parts: EdgeWorksParts) {
    this.#parts = parts;
  }

  alone<T>(edge: Edge, then: () => Promise<T>): Promise<T> {
    return this.#byKey.run(keyOf(edge), then);
  }

  async work(edge: Edge, deed: NonNullable<EdgeDeed>, principal: string): Promise<void> {
    switch (deed) {
      case "claim": case "heal": return this.#wire(edge, principal, "managed");
      case "unwire": return this.#say("members_unwired", edge, principal);
      case "disown": return this.#say("edge_disowned", edge, principal);
    }
  }

  async wire(x: string, y: string, principal: string): Promise<EdgeNow> {
    const edge = this.#between(x, y);
    return this.alone(edge, async () => {
      const { view } = this.#parts;
      for (const id of [edge.a, edge.b]) this.#present(id);
      const known = view.edges.get(keyOf(edge));
      if (known?.wired === true) return known;
      await this.#wire(edge, principal, "manual");
      return view.edges.get(keyOf(edge)) ?? { ...edge, wired: true, owner: "manual" };
    });
  }

  async unwire(x: string, y: string, { principal, hold = false }: Parameters<EdgeWorks["unwire"]>[2]): Promise<void> {
    const edge = this.#between(x, y);
    return this.alone(edge, async () => {
      const known = this.#parts.view.edges.get(keyOf(edge));
      if (known?.wired !== true && !hold) throw mobError("mob.not_found", `${x} and ${y} are not wired`, { facts: { what: "edge", id: keyOf(edge) } });
      await this.#say(hold ? "edge_suppressed" : "members_unwired", edge, principal);
    });
  }

  async release(x: string, y: string, principal: string): Promise<void> {
    const edge = this.#between(x, y);
    return this.alone(edge, async () => {
      if (this.#parts.view.edges.get(keyOf(edge))?.suppressed !== true) {
        throw mobError("mob.not_found", `the edge of ${x} and ${y} is not held`, { facts: { what: "edge", id: keyOf(edge) } });
      }
      await this.#say("edge_released", edge, principal);
    });
  }

  async #wire(edge: Edge, principal: string, owner: EdgeOwner): Promise<void> {
    this.#checkRoom(edge);
    await this.#say("members_wired", edge, principal, { owner });
  }

  async #say(kind: EntryKind, { a, b }: Edge, principal: string, more: { readonly owner?: EdgeOwner } = {}): Promise<void> {
    await this.#parts.ledger.append(this.#parts.writer, [{ kind, source: "mob", principal, data: { a, b, ...more } }]);
  }

  #between(x: string, y: string): Edge {
    if (x !== y) return toEdge(x, y);
    throw mobError("mob.invalid_params", `${x} cannot be wired to itself`, { facts: { path: "b" } });
  }

  #checkRoom({ a, b }: Edge): void {
    const { view, limits: { edgesPerMember: limit } } = this.#parts;
    const full = [a, b].find((id) => view.wiredTo(id).length >= limit);
    if (full !== undefined) throw mobError("mob.overloaded", `${full} has ${limit} edges already`, { facts: { member: full, limit } });
  }

  #present(id: string): void {
    const state = this.#parts.view.members.get(id)?.life.state ?? "none";
    if (!FINAL_STATES.includes(state)) return;
    throw mobError("mob.not_found", `there is no member ${id}`, { facts: { what: "member", id } });
  }
}
