/**
 * How a command reaches a member (spec: mob 3.3).
 *
 * takes an event of a life, or an entry that is no move of it; gives the row after it; promises that a spec is what its
 * profile allows; refuses what the state of the member does not allow, and all of it while the mob refuses; never begins a turn.
 */
import type { Json } from "@atoll-run/core";
import { checkSpec } from "../definition/check-spec.ts";
import type { MemberSpec } from "../definition/definition.ts";
import { mobError, type MobError } from "../errors.ts";
import type { Life, LifeEvent } from "./life.ts";
import type { LiveMembers } from "./live.ts";
import type { MemberParts, MoveMore } from "./parts.ts";
import type { MemberRow } from "./row.ts";

export interface CommandsParts extends Pick<MemberParts, "ledger" | "writer" | "view" | "profileOf"> {
  readonly live: LiveMembers;
}

export class Commands {
  readonly #parts: CommandsParts;
  #refusal: MobError | undefined;
  #retires = false;

  constructor(parts: CommandsParts) {
    this.#parts = parts;
  }

  /** What callers hear while nothing is taken. */
  get refusal(): MobError | undefined {
    return this.#refusal;
  }

  /** `retires`: what ends members is taken all the same. */
  refuse(why: MobError, { retires = false }: { readonly retires?: boolean }): void {
    this.#refusal = why;
    this.#retires = retires;
  }

  accept(): void {
    this.#refusal = undefined;
  }

  /** `ends`: it is asked for something that ends a member or a turn. */
  checkOpen(ends = false): void {
    if (this.#refusal !== undefined && !(this.#retires && ends)) throw this.#refusal;
  }

  known(id: string): MemberRow {
    const row = this.#parts.view.row(id);
    if (row === undefined) throw mobError("mob.not_found", `there is no member ${id}`, { facts: { member: id } });
    return row;
  }

  async run(id: string, event: LifeEvent, more: MoveMore): Promise<MemberRow> {
    this.checkOpen(event.is === "retire");
    if (more.spec !== undefined) this.#checkSpec(more.spec);
    if (event.is !== "spawn") this.known(id);
    const member = this.#parts.live.of(id);
    if (!await member.command(event, more)) throw notNow(id, event, member.life);
    return this.known(id);
  }

  /** An entry that is no move of its life. */
  async note(id: string, kind: "member_held" | "member_released" | "member_updated", { principal, spec }: MoveMore): Promise<MemberRow> {
    this.checkOpen();
    if (spec !== undefined) this.#checkSpec(spec);
    const { ledger, writer, live } = this.#parts;
    const data = spec === undefined ? {} : { spec: spec as unknown as Json };
    await live.of(id).during(() => ledger.append(writer, [{ kind, source: "mob", member: id, ...principal === undefined ? {} : { principal }, data }]));
    return this.known(id);
  }

  /** As the definition is now: whoever asks for it, a member has no more than its profile. */
  #checkSpec(spec: MemberSpec): void {
    const profile = this.#parts.profileOf(spec.profile);
    checkSpec({ profiles: profile === undefined ? {} : { [spec.profile]: profile } }, spec);
  }
}

function notNow(id: string, { is }: LifeEvent, { state }: Life): MobError {
  return mobError("mob.conflict", `${id} is ${state}: it cannot ${is}`, { facts: { member: id, state, event: is } });
}
