/**
 * Wires and unwires (spec: mob 4.3, 4.4).
 *
 * takes two members; gives an edge, or none; promises that the entry is there before the doors move, that a half-made edge
 * is taken back, and that one edge is worked on by one at a time; refuses members that are not there; never wakes anybody.
 */
import { withDeadline, type Clock } from "@atoll-run/core";
import { keyOf, toEdge, type Edge, type EdgeDeed, type EdgeNow, type EdgeOwner } from "../edges/plan.ts";
import { mobError, toFailure } from "../errors.ts";
import type { EntryKind } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import { FINAL_STATES } from "../member/life.ts";
import type { View } from "../roster/view.ts";
import { ByKey } from "../bounded.ts";

/** The side of one member to another: its ACL. What is open is what the roster says, after a start too. */
export interface EdgeDoors {
  open(member: string, peer: string, signal: AbortSignal): Promise<void>;
  close(member: string, peer: string, signal: AbortSignal): Promise<void>;
}

export interface EdgeWorksParts {
  readonly ledger: Ledger;
  readonly writer: Writer;
  readonly view: View;
  readonly doors: EdgeDoors;
  readonly clock: Clock;
  readonly limits: Pick<MobLimits, "reconcileActMs" | "edgesPerMember">;
}

export interface EdgeWorks {
  /** Does one deed of a plan; throws what the doors or the store throw: the edge is as it was. */
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
      case "claim": return this.#open(edge, { principal, owner: "managed", undone: {} });
      case "heal": return this.#open(edge, { principal, owner: "managed", undone: { owner: "managed" } });
      case "unwire": return this.#close(edge, { principal, kind: "members_unwired" });
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
      await this.#open(edge, { principal, owner: "manual", undone: {} });
      return view.edges.get(keyOf(edge)) ?? { ...edge, wired: true, owner: "manual" };
    });
  }

  async unwire(x: string, y: string, { principal, hold = false }: Parameters<EdgeWorks["unwire"]>[2]): Promise<void> {
    const edge = this.#between(x, y);
    return this.alone(edge, async () => {
      const known = this.#parts.view.edges.get(keyOf(edge));
      if (known?.wired !== true && !hold) throw mobError("mob.not_found", `${x} and ${y} are not wired`, { facts: { what: "edge", id: keyOf(edge) } });
      await this.#close(edge, { principal, kind: hold ? "edge_suppressed" : "members_unwired" });
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

  async #open(edge: Edge, o: { readonly principal: string; readonly owner: EdgeOwner; readonly undone: { readonly owner?: EdgeOwner } }): Promise<void> {
    const { a, b } = edge;
    this.#checkRoom(edge);
    await this.#say("members_wired", edge, o.principal, { owner: o.owner });
    try {
      await this.#door("open", a, b);
      await this.#door("open", b, a);
    } catch (error) {
      await Promise.allSettled([this.#door("close", a, b), this.#door("close", b, a)]);
      await this.#say("members_unwired", edge, o.principal, { ...o.undone, error: { ...toFailure(error) } });
      throw error;
    }
  }

  async #close(edge: Edge, { principal, kind }: { readonly principal: string; readonly kind: EntryKind }): Promise<void> {
    const { a, b } = edge;
    const before = this.#parts.view.edges.get(keyOf(edge));
    await this.#say(kind, edge, principal);
    const closed = await Promise.allSettled([this.#door("close", a, b), this.#door("close", b, a)]);
    const failed = closed.find((one) => one.status === "rejected");
    if (failed === undefined) return;
    await Promise.allSettled([this.#door("open", a, b), this.#door("open", b, a)]);
    const owner = before?.owner;
    await this.#say("members_wired", edge, principal, { ...owner === undefined ? {} : { owner }, error: { ...toFailure(failed.reason) } });
    throw failed.reason;
  }

  #door(way: keyof EdgeDoors, member: string, peer: string): Promise<void> {
    const { doors, clock, limits } = this.#parts;
    return withDeadline((signal) => doors[way](member, peer, signal), { clock, ms: limits.reconcileActMs, what: `${way} ${member} for ${peer}` });
  }

  async #say(kind: EntryKind, { a, b }: Edge, principal: string, more: Record<string, never | string | { code: string; text: string }> = {}): Promise<void> {
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
