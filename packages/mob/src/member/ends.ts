/**
 * The ends of members: retirement, and deletion of what one left (spec: mob 3.3, 11.5 `members/delete`).
 *
 * takes ids; gives nothing, or the last row; promises that whoever waits for a retirement resumes when it is whole, what goes
 * with it included, and that a start finishes what a process had not when it died; refuses to delete one that has come back meanwhile;
 * never erases what the ledger has not let go.
 */
import { mobError, type MobError } from "../errors.ts";
import { memberScope } from "../ids.ts";
import type { MobLimits } from "../limits.ts";
import { buryQueue } from "./bury.ts";
import type { Commands } from "./commands.ts";
import { eraseMember } from "./erase.ts";
import type { By, MemberHost } from "./host.ts";
import { FINAL_STATES, type BuryReason, type LifeState } from "./life.ts";
import type { LiveMembers } from "./live.ts";
import type { MemberParts } from "./parts.ts";
import type { MemberRow } from "./row.ts";
import { FINAL_TURNS } from "./turn.ts";

export interface EndsParts extends Pick<MemberParts, "ledger" | "writer" | "view" | "inner" | "node" | "leaveEdges"> {
  readonly limits: Pick<MobLimits, "drainMs">;
  readonly live: LiveMembers;
  readonly commands: Commands;
}

const ENDED: { readonly [state in LifeState]?: BuryReason } = { retired: "member_retired", completed: "member_completed" };

export class Ends {
  readonly #parts: EndsParts;
  /** Who waits for the end of a member. */
  readonly #waiting = new Map<string, Set<PromiseWithResolvers<void>>>();

  constructor(parts: EndsParts) {
    this.#parts = parts;
  }

  async retire(id: string, { principal, drainMs = this.#parts.limits.drainMs, hold = false, waits = true }: Parameters<MemberHost["retire"]>[1]): Promise<void> {
    const { commands, view, live } = this.#parts;
    commands.known(id);
    if (hold) await commands.note(id, "member_held", { principal });
    const queued = drainMs > 0 && (view.members.get(id)?.open.length ?? 0) > 0;
    await commands.run(id, { is: "retire", drain_ms: drainMs, queued }, { principal }).catch((error: unknown) => {
      // Whoever asks for it again waits for the same end, or for less.
      if (commands.known(id).state !== "retiring") throw error;
      live.of(id).hurry(drainMs);
    });
    if (!waits) return;
    if (!commands.known(id).final) {
      const gone = Promise.withResolvers<void>();
      this.#waiting.set(id, (this.#waiting.get(id) ?? new Set()).add(gone));
      await gone.promise;
    }
    // What goes with it: dead letters, edges.
    await live.of(id).during(() => Promise.resolve());
  }

  /** The entry of an end, or of a new beginning, stands; its process may have died before what goes with it was done. */
  async settle(): Promise<void> {
    const { view, live, leaveEdges } = this.#parts;
    for (const [id, { life: { state, generation }, open, session }] of view.members) {
      const isOver = FINAL_STATES.includes(state);
      if (isOver && view.wiredTo(id).length > 0) await leaveEdges(id);
      const left = new Set(open.filter((turn) => isOver || (view.turns.get(turn)?.generation ?? 0) < session.generation));
      if (left.size > 0) await live.of(id).during(() => this.#bury(left, { member: id, generation, reason: ENDED[state] ?? "member_reset" }));
    }
    await this.#settleNeverThere();
  }

  /** Those whose first start has failed have no row: what was sent to them, and who was wired to them, is found by what is left of it. */
  async #settleNeverThere(): Promise<void> {
    const { view, leaveEdges } = this.#parts;
    const left = new Map<string, { readonly generation: number; readonly turns: Set<string> }>();
    for (const { member, turn_id, state, generation } of view.turns.values()) {
      if (FINAL_TURNS.has(state) || view.members.has(member)) continue;
      const known = left.get(member) ?? { generation, turns: new Set() };
      left.set(member, known);
      known.turns.add(turn_id);
    }
    for (const [member, { generation, turns }] of left) await this.#bury(turns, { member, generation, reason: "member_spawn_failed" });
    const gone = new Set([...view.edges.values()].flatMap(({ a, b, wired }) => wired ? [a, b].filter((id) => !view.members.has(id)) : []));
    for (const id of gone) await leaveEdges(id);
  }

  /** What that process was in the middle of is free first. */
  async #bury(left: ReadonlySet<string>, o: { readonly member: string; readonly generation: number; readonly reason: BuryReason }): Promise<void> {
    const { ledger, node: { clock } } = this.#parts;
    await ledger.store.commit({ scope: memberScope(o.member), epoch: null, at_ms: clock.now(), ops: [{ op: "attach" }] });
    await buryQueue({ ledger, clock }, { ...o, only: (turn) => left.has(turn) });
  }

  /** Retires it first when it is there. */
  async delete(id: string, { principal }: By): Promise<MemberRow> {
    const { ledger, writer, commands, live } = this.#parts;
    if (!commands.known(id).final) await this.retire(id, { principal, drainMs: 0 });
    return await live.of(id).during(async () => {
      const row = commands.known(id);
      if (!row.final) throw mobError("mob.conflict", `${id} is there again`, { facts: { member: id, state: row.state } });
      await ledger.append(writer, [{ kind: "member_deleted", source: "mob", member: id, generation: row.generation, principal, data: {} }]);
      live.forget(id);
      await this.erase(id);
      return row;
    });
  }

  erase(id: string): Promise<void> {
    const { ledger: { store }, inner: { dir }, node: { clock } } = this.#parts;
    return eraseMember({ store, dir, now: () => clock.now() }, id);
  }

  /** The ledger has told of it. */
  retired(id: string): void {
    for (const { resolve } of this.#waiting.get(id) ?? []) resolve();
    this.#waiting.delete(id);
  }

  /** No member ends any more in this process. */
  giveUp(why: MobError): void {
    for (const waiting of this.#waiting.values()) for (const { reject } of waiting) reject(why);
  }
}
