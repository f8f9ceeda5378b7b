/**
 * All members of a mob (spec: mob 3.3 to 3.9): `MemberHost` over the roster and those members that are more than a row.
 *
 * takes commands and turns; gives tickets, rows and ended turns; promises what `MemberHost` does; refuses over its bounds;
 * never keeps anything for a member that sleeps.
 */
import { onAbort, type Json } from "@atoll-run/core";
import { checkSpec } from "../definition/check-spec.ts";
import type { Bootstrap, MemberSpec } from "../definition/definition.ts";
import { mobError, type MobError } from "../errors.ts";
import { isMemberId, type NewId } from "../ids.ts";
import type { Entry } from "../ledger/entry.ts";
import { wholeTurn } from "../ledger/stored.ts";
import { pastTurn } from "../roster/past-turn.ts";
import type { MemberView } from "../roster/row.ts";
import type { View } from "../roster/view.ts";
import { generationOf } from "../sessions/sessions.ts";
import { Boot } from "./boot.ts";
import { eraseMember } from "./erase.ts";
import type { BootNow, By, MemberHost, Performer, SpawnOptions, TurnAsk } from "./host.ts";
import type { Life, LifeEvent } from "./life.ts";
import { Member } from "./member.ts";
import type { MemberParts, MoveMore } from "./parts.ts";
import { Prompts } from "./prompts.ts";
import type { MemberRow } from "./row.ts";
import { Replies } from "./replies.ts";
import { Sender, type SenderParts } from "./sender.ts";
import { TurnWaits } from "./turn-waits.ts";
import { turnMoved } from "./turn-entries.ts";
import { FINAL_TURNS, type Ticket, type Turn } from "./turn.ts";

export interface MembersParts extends Omit<MemberParts, "quiet"> {
  /** Made by a call; those of reconcile are told with its report. Never rejects. */
  readonly spawned: (ids: readonly string[]) => Promise<void>;
  readonly newId: NewId;
  readonly checkBudget?: SenderParts["checkBudget"];
  readonly bootstrap: Bootstrap;
}

const CANCEL_TRIES = 20;
/** Entries of one commit. */
const PAGE = 500;

export class Members implements MemberHost {
  readonly #parts: MembersParts;
  readonly #view: View;
  readonly #live = new Map<string, Member>();
  readonly #waits: TurnWaits;
  /** Who waits for the end of a member. */
  readonly #gone = new Map<string, Set<PromiseWithResolvers<void>>>();
  readonly #sender: Sender;
  readonly #prompts: Prompts;
  readonly #replies: Replies;
  readonly #boot: Boot;
  /** Rows are those of this process: until then they say who was awake in an earlier one. */
  readonly #recovered = Promise.withResolvers<void>();
  #refusal: MobError | undefined;
  #retires = false;
  #closed = false;

  constructor(parts: MembersParts) {
    this.#parts = parts;
    this.#view = parts.view;
    this.#waits = new TurnWaits(parts.node.clock);
    this.#sender = new Sender({ ...parts, memberOf: (id) => this.#member(id) });
    const { view, node: { clock, log }, profileOf, limits, bootstrap } = parts;
    this.#replies = new Replies({ ledger: parts.ledger, view, clock, log, send: (ask) => this.send(ask) });
    this.#prompts = new Prompts({ view, log, profileOf, send: (ask) => this.send(ask) });
    this.#boot = new Boot({ view, clock, bootstrap, profileOf, startMs: limits.reconcileActMs, start: (id) => this.#warm(id) });
  }

  /** After the view has folded it. */
  readonly hear = (entry: Entry): void => {
    const { turn_id, member: id, kind } = entry;
    if (turn_id !== undefined && kind.startsWith("turn_")) return id === undefined ? undefined : this.#turnMoved(turn_id, id);
    if (this.#refusal === undefined) this.#prompts.hear(entry);
    if (id === undefined) return;
    if (kind === "member_spawned") this.#boot.come(id);
    else if (kind === "member_retired") {
      for (const { resolve } of this.#gone.get(id) ?? []) resolve();
      this.#gone.delete(id);
    }
  };

  /** Goes on where an earlier process was, or after {@link close}: whoever was awake sleeps, and is woken when it has turns. */
  async recover(): Promise<void> {
    this.#closed = false;
    this.#refusal = undefined;
    await this.sleepAll("restart");
    for (const [id] of [...this.#view.members]) {
      const { life, open } = this.#view.members.get(id) ?? {};
      const goesOn = life?.state === "starting" || life?.state === "broken" || life?.state === "retiring" || life?.state === "dormant" && open !== undefined && open.length > 0;
      if (goesOn) this.#member(id).recover();
    }
    this.#recovered.resolve();
    this.#boot.resume();
    this.#replies.resume();
  }

  /** Whoever is to be there at first is: those who are started without work are from now on. */
  begin(): void {
    this.#boot.begin();
  }

  boot(): BootNow {
    return this.#boot.now();
  }

  warmed(signal: AbortSignal): Promise<void> {
    return this.#boot.over(signal);
  }

  /** Says of those who were awake that they are no more. */
  async sleepAll(why: "restart" | "stopped"): Promise<void> {
    const { ledger, writer } = this.#parts;
    const awake = [...this.#view.members].filter(([, { life }]) => life.state === "active" || life.state === "starting" && !life.first);
    for (let at = 0; at < awake.length; at += PAGE) {
      await ledger.append(writer, awake.slice(at, at + PAGE).map(([member, { life }]) => ({
        kind: "member_dormant", source: "mob", member, generation: life.generation,
        data: { why, state: "dormant", from: life.state, generation: life.generation },
      })));
    }
  }

  send(ask: TurnAsk): Promise<Ticket> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    return this.#sender.send(ask);
  }

  wait(turnId: string, o: Parameters<MemberHost["wait"]>[1] = {}): Promise<Turn> {
    const turn = this.#view.turns.get(turnId);
    const { store } = this.#parts.ledger;
    if (turn === undefined) return this.#past(turnId);
    if (FINAL_TURNS.has(turn.state)) return wholeTurn(store, turn);
    return this.#waits.next(turnId, o).then((ended) => wholeTurn(store, ended));
  }

  async cancel(turnId: string, { principal }: By): Promise<Turn> {
    this.#checkOpen(true);
    const member = this.#member(this.#turn(turnId).member);
    try {
      for (let tries = 0; tries < CANCEL_TRIES; tries++) {
        const turn = this.#turn(turnId);
        if (FINAL_TURNS.has(turn.state)) break;
        const incarnation = await member.awake();
        const entry = turnMoved("turn_cancelled", { member: turn.member, generation: turn.generation }, { turn: { turn_id: turnId }, data: { by: principal } });
        const over = await incarnation.cancel(turnId, principal) || await incarnation.drop(turnId, [this.#parts.ledger.toOp(entry)]);
        if (over) return await this.wait(turnId, {});
      }
    } finally {
      await member.closeUnused();
    }
    return await wholeTurn(this.#parts.ledger.store, this.#turn(turnId));
  }

  async spawn(spec: MemberSpec, { principal, origin, lazy, spawnedBy }: SpawnOptions): Promise<MemberRow> {
    this.#checkOpen();
    const { limits } = this.#parts;
    if (!isMemberId(spec.id)) throw mobError("mob.invalid_params", `${JSON.stringify(spec.id)} is no member id`);
    if (this.#view.members.size >= limits.members) throw mobError("mob.overloaded", `a mob has at most ${limits.members} members`);
    const { resume = "last" } = spec;
    const session = typeof resume === "string" ? undefined
      : await generationOf(this.#parts.ledger.store, { member: spec.id, session: resume.session_id });
    // Its process may have died before all was gone.
    if (this.#view.graves.has(spec.id)) await this.#erase(spec.id);
    const event: LifeEvent = { is: "spawn", lazy, fresh: resume === "fresh" || resume === "last" && (this.#view.members.get(spec.id)?.seq ?? Infinity) < this.#view.mob.fresh_below };
    const row = await this.#command(spec.id, event, { principal, spec, data: {
      origin, ...spawnedBy === undefined ? {} : { spawned_by: spawnedBy }, ...session === undefined ? {} : { session_generation: session },
    } });
    if (origin === "api" || origin === "helper") await this.#parts.spawned([spec.id]);
    return row;
  }

  async retire(id: string, { principal, drainMs = this.#parts.limits.drainMs, hold = false, waits = true }: Parameters<MemberHost["retire"]>[1]): Promise<void> {
    this.#known(id);
    if (hold) await this.#note(id, "member_held", { principal });
    const queued = drainMs > 0 && (this.#view.members.get(id)?.open.length ?? 0) > 0;
    await this.#command(id, { is: "retire", drain_ms: drainMs, queued }, { principal }).catch((error: unknown) => {
      // Whoever asks for it again waits for the same end.
      if (this.#known(id).state !== "retiring") throw error;
    });
    if (!waits) return;
    if (!this.#known(id).final) {
      const gone = Promise.withResolvers<void>();
      this.#gone.set(id, (this.#gone.get(id) ?? new Set()).add(gone));
      await gone.promise;
    }
    // What goes with it: dead letters, edges.
    await this.#member(id).during(() => Promise.resolve());
  }

  respawn(id: string, { principal, spec }: Parameters<MemberHost["respawn"]>[1]): Promise<MemberRow> {
    return this.#command(id, { is: "respawn" }, { principal, ...spec === undefined ? {} : { spec } });
  }

  reset(id: string, { principal }: By): Promise<MemberRow> {
    return this.#command(id, { is: "reset" }, { principal });
  }

  async setModel(id: string, model: string, { principal }: By): Promise<MemberRow> {
    this.#known(id);
    const { spec } = this.#view.members.get(id) as MemberView;
    return await this.reload(id, { principal, spec: { ...spec, model } });
  }

  reload(id: string, { principal, spec }: Parameters<MemberHost["reload"]>[1]): Promise<MemberRow> {
    return this.#command(id, { is: "reload" }, { principal, ...spec === undefined ? {} : { spec } });
  }

  repair(id: string, { principal, spec }: Parameters<MemberHost["repair"]>[1]): Promise<MemberRow> {
    return this.#command(id, { is: "repair" }, { principal, ...spec === undefined ? {} : { spec } });
  }

  async suspend(id: string, { principal, why }: Parameters<MemberHost["suspend"]>[1]): Promise<void> {
    await this.#command(id, { is: "suspend", why }, { principal });
  }

  async resume(id: string, { principal }: By): Promise<void> {
    await this.#command(id, { is: "resume" }, { principal });
    const member = this.#member(id);
    if ((this.#view.members.get(id)?.open.length ?? 0) > 0) await member.awake();
  }

  async update(spec: MemberSpec, { principal }: By): Promise<MemberRow> {
    this.#known(spec.id);
    return await this.#note(spec.id, "member_updated", { principal, spec });
  }

  async delete(id: string, { principal }: By): Promise<MemberRow> {
    if (!this.#known(id).final) await this.retire(id, { principal, drainMs: 0 });
    const { ledger, writer } = this.#parts;
    return await this.#member(id).during(async () => {
      const row = this.#known(id);
      if (!row.final) throw mobError("mob.conflict", `${id} is there again`, { facts: { member: id, state: row.state } });
      await ledger.append(writer, [{ kind: "member_deleted", source: "mob", member: id, generation: row.generation, principal, data: {} }]);
      this.#live.delete(id);
      await this.#erase(id);
      return row;
    });
  }

  #erase(id: string): Promise<void> {
    const { ledger: { store }, inner: { dir }, node: { clock } } = this.#parts;
    return eraseMember({ store, dir, now: () => clock.now() }, id);
  }

  async release(id: string, { principal }: By): Promise<void> {
    this.#known(id);
    await this.#note(id, "member_released", { principal });
  }

  /** A decision may be there before the members are: it waits for them. */
  async wake(id: string, name: string): Promise<void> {
    await this.#recovered.promise;
    this.#checkOpen();
    this.#known(id);
    (await this.#member(id).awake()).wake(name);
  }

  async performer(id: string): Promise<Performer> {
    await this.#recovered.promise;
    this.#checkOpen();
    this.#known(id);
    for (;;) {
      const member = this.#member(id);
      const incarnation = await member.awake();
      const performer = await incarnation.performer();
      // It may have been on its way to sleep.
      await member.during(() => Promise.resolve());
      if (incarnation.current) return performer;
      performer[Symbol.dispose]();
      this.#checkOpen();
    }
  }

  /** Nothing is taken any more; `retires`: but what ends members. `why`: what callers hear, and whoever waits for such an end. */
  refuse(why: MobError, { retires = false }: { readonly retires?: boolean } = {}): void {
    this.#refusal = why;
    this.#retires = retires;
    this.#recovered.resolve();
    if (!retires) for (const waiting of this.#gone.values()) for (const { reject } of waiting) reject(why);
  }

  /** No turn begins any more, until {@link recover}. Resolves when those that run have ended, or the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    const cut = Promise.withResolvers<void>();
    using _ = onAbort(signal, () => cut.resolve());
    await Promise.race([cut.promise, Promise.all([...this.#live.values()].map((member) => member.drain()))]);
  }

  /** Turns that run go back into their mailboxes; all nodes close. `aborted` is told of those turns. */
  async close(o: { readonly stepMs: number; readonly aborted: (turnIds: readonly string[]) => void }): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#prompts.idle(), this.#boot.pause(), this.#replies.pause()]);
    await Promise.all([...this.#live].map(async ([id, member]) => {
      await member.close(o);
      if (this.#live.get(id) === member) this.#live.delete(id);
    }));
  }

  /** Turns that run. */
  working(): readonly string[] {
    return [...this.#live.values()].flatMap(({ incarnation }) => incarnation?.working ?? []);
  }

  /** Those whose nodes are open. */
  awake(): readonly string[] {
    return [...this.#live].flatMap(([id, { incarnation }]) => incarnation === undefined ? [] : [id]);
  }

  /** Nobody waits for a turn any more: its end does not come in this process. */
  giveUp(why: MobError): void {
    this.#recovered.resolve();
    this.#waits.giveUp(why);
  }

  #turnMoved(turnId: string, id: string): void {
    const turn = this.#view.turns.get(turnId);
    if (turn === undefined || !FINAL_TURNS.has(turn.state)) return;
    this.#waits.ended(turn);
    this.#replies.ended(turn);
    this.#live.get(id)?.turnOver();
  }

  async #warm(id: string): Promise<void> {
    if (this.#view.members.get(id)?.life.state === "dormant" && !this.#closed) await this.#member(id).warm();
  }

  async #command(id: string, event: LifeEvent, more: MoveMore): Promise<MemberRow> {
    this.#checkOpen(event.is === "retire");
    if (more.spec !== undefined) this.#checkSpec(more.spec);
    if (event.is !== "spawn") this.#known(id);
    const member = this.#member(id);
    if (!await member.command(event, more)) throw notNow(id, event, member.life);
    return this.#known(id);
  }

  /** An entry that is no move of its life. */
  async #note(id: string, kind: "member_held" | "member_released" | "member_updated", { principal, spec }: MoveMore): Promise<MemberRow> {
    this.#checkOpen();
    if (spec !== undefined) this.#checkSpec(spec);
    const { ledger, writer } = this.#parts;
    const data = spec === undefined ? {} : { spec: spec as unknown as Json };
    await this.#member(id).during(() => ledger.append(writer, [{ kind, source: "mob", member: id, ...principal === undefined ? {} : { principal }, data }]));
    return this.#known(id);
  }

  #member(id: string): Member {
    const known = this.#live.get(id);
    if (known !== undefined) return known;
    const made: Member = new Member({ ...this.#parts, quiet: () => {
      if (this.#live.get(id) === made) this.#live.delete(id);
    } }, id);
    this.#live.set(id, made);
    return made;
  }

  #known(id: string): MemberRow {
    const row = this.#view.row(id);
    if (row === undefined) throw mobError("mob.not_found", `there is no member ${id}`, { facts: { member: id } });
    return row;
  }

  /** Of one that the view has let go. */
  async #past(turnId: string): Promise<Turn> {
    const { ledger } = this.#parts;
    const turn = await pastTurn(ledger, turnId);
    return turn === undefined ? this.#turn(turnId) : await wholeTurn(ledger.store, turn);
  }

  #turn(turnId: string): Turn {
    const turn = this.#view.turns.get(turnId);
    if (turn === undefined) throw mobError("mob.not_found", `there is no turn ${turnId}`, { facts: { turn_id: turnId } });
    return turn;
  }

  /** As the definition is now: whoever asks for it, a member has no more than its profile. */
  #checkSpec(spec: MemberSpec): void {
    const profile = this.#parts.profileOf(spec.profile);
    checkSpec({ profiles: profile === undefined ? {} : { [spec.profile]: profile } }, spec);
  }

  #checkOpen(ends = false): void {
    if (this.#refusal !== undefined && !(this.#retires && ends)) throw this.#refusal;
  }
}

function notNow(id: string, { is }: LifeEvent, { state }: Life): MobError {
  return mobError("mob.conflict", `${id} is ${state}: it cannot ${is}`, { facts: { member: id, state, event: is } });
}
