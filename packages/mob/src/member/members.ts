/**
 * All members of a mob (spec: mob 3.3 to 3.9): `MemberHost` over the roster and those members that are more than a row.
 *
 * takes commands and turns; gives tickets, rows and ended turns; promises what `MemberHost` does; refuses over its bounds;
 * never keeps anything for a member that sleeps.
 */
import type { Bootstrap, MemberSpec } from "../definition/definition.ts";
import { mobError, type MobError } from "../errors.ts";
import { isMemberId, type NewId } from "../ids.ts";
import type { Entry } from "../ledger/entry.ts";
import { wholeTurn } from "../ledger/stored.ts";
import type { MemberView } from "../roster/row.ts";
import type { View } from "../roster/view.ts";
import { generationOf } from "../sessions/sessions.ts";
import { Boot } from "./boot.ts";
import { Commands } from "./commands.ts";
import { Ends } from "./ends.ts";
import type { BootNow, By, MemberHost, Performer, SpawnOptions, TurnAsk } from "./host.ts";
import type { LifeEvent } from "./life.ts";
import { LiveMembers } from "./live.ts";
import type { MemberParts } from "./parts.ts";
import { Prompts } from "./prompts.ts";
import type { MemberRow } from "./row.ts";
import { Replies } from "./replies.ts";
import { Sender, type SenderParts } from "./sender.ts";
import { TurnWaits } from "./turn-waits.ts";
import { errorOf, turnMoved } from "./turn-entries.ts";
import { FINAL_TURNS, type Ticket, type Turn } from "./turn.ts";

export interface MembersParts extends Omit<MemberParts, "quiet"> {
  /** Made by a call; those of reconcile are told with its report. Never rejects. */
  readonly spawned: (ids: readonly string[]) => Promise<void>;
  readonly newId: NewId;
  readonly checkBudget?: SenderParts["checkBudget"];
  readonly bootstrap: Bootstrap;
}

/** A turn that has just been handed over, or given back, neither runs nor waits for a moment. */
const CANCEL_TRIES = 50;
const CANCEL_PAUSE_MS = 20;
/** Entries of one commit. */
const PAGE = 500;

export class Members implements MemberHost {
  readonly #parts: MembersParts;
  readonly #view: View;
  readonly #live: LiveMembers;
  readonly #commands: Commands;
  readonly #ends: Ends;
  readonly #waits: TurnWaits;
  readonly #sender: Sender;
  readonly #prompts: Prompts;
  readonly #replies: Replies;
  readonly #boot: Boot;
  /** Rows are those of this process: until then they say who was awake in an earlier one. */
  readonly #recovered = Promise.withResolvers<void>();
  #closed = false;

  constructor(parts: MembersParts) {
    this.#parts = parts;
    this.#view = parts.view;
    this.#live = new LiveMembers(parts);
    this.#commands = new Commands({ ...parts, live: this.#live });
    this.#ends = new Ends({ ...parts, live: this.#live, commands: this.#commands });
    this.#waits = new TurnWaits(parts);
    this.#sender = new Sender({ ...parts, memberOf: (id) => this.#live.of(id) });
    const { view, node: { clock, log }, profileOf, limits, bootstrap } = parts;
    this.#replies = new Replies({ ledger: parts.ledger, view, clock, log, send: (ask) => this.send(ask) });
    this.#prompts = new Prompts({ view, log, profileOf, limits, send: (ask) => this.send(ask) });
    this.#boot = new Boot({ view, clock, bootstrap, profileOf, placeMs: limits.reconcileActMs, start: (id) => this.#warm(id) });
  }

  /** After the view has folded it. */
  readonly hear = (entry: Entry): void => {
    const { turn_id, member: id, kind } = entry;
    if (turn_id !== undefined && kind.startsWith("turn_")) return id === undefined ? undefined : this.#turnMoved(turn_id, id);
    if (this.#commands.refusal === undefined) this.#prompts.hear(entry);
    if (id === undefined) return;
    if (kind === "member_spawned") this.#boot.come(id);
    else if (kind === "member_retired") this.#ends.retired(id);
  };

  /** At a start, before anybody moves: what an earlier process had still to do for those who had ended. */
  settle(): Promise<void> {
    return this.#ends.settle();
  }

  /** Goes on where an earlier process was, or after {@link close}: whoever was awake sleeps, and is woken when it has turns. */
  async recover(): Promise<void> {
    this.#closed = false;
    this.#commands.accept();
    await this.sleepAll("restart");
    for (const [id] of [...this.#view.members]) {
      const { life, open } = this.#view.members.get(id) ?? {};
      const goesOn = life?.state === "starting" || life?.state === "broken" || life?.state === "retiring" || life?.state === "dormant" && (life.first || open !== undefined && open.length > 0);
      if (goesOn) this.#live.of(id).recover();
    }
    this.#recovered.resolve();
    this.#boot.resume();
    this.#replies.resume();
    this.#prompts.resume();
  }

  /** Whoever is to be there at first is: those who are started without work are from now on. */
  begin(): void {
    this.#boot.begin();
  }

  boot(only?: (member: string) => boolean): BootNow {
    return this.#boot.now(only);
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
    const { refusal } = this.#commands;
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#sender.send(ask);
  }

  wait(turnId: string, o: Parameters<MemberHost["wait"]>[1] = {}): Promise<Turn> {
    return this.#waits.wait(turnId, o);
  }

  async cancel(turnId: string, { principal, reason }: Parameters<MemberHost["cancel"]>[1]): Promise<Turn> {
    const why = mobError("mob.interrupted", `the turn was cancelled by ${principal}${reason === undefined ? "" : `: ${reason}`}`);
    this.#commands.checkOpen(true);
    const member = this.#live.of(this.#waits.known(turnId).member);
    try {
      for (let tries = 0; tries < CANCEL_TRIES; tries++) {
        const turn = this.#waits.known(turnId);
        if (FINAL_TURNS.has(turn.state)) break;
        const incarnation = await member.awake();
        const entry = turnMoved("turn_cancelled", { member: turn.member, generation: turn.generation }, { turn: { turn_id: turnId }, data: { by: principal, ...errorOf(why) } });
        const over = await incarnation.cancel(turnId, why) || await incarnation.drop(turnId, [this.#parts.ledger.toOp(entry)]);
        if (over) return await this.wait(turnId, {});
        await new Promise<void>((resolve) => void this.#parts.node.clock.after(CANCEL_PAUSE_MS, resolve));
      }
    } finally {
      await member.closeUnused();
    }
    return await wholeTurn(this.#parts.ledger.store, this.#waits.known(turnId));
  }

  async spawn(spec: MemberSpec, { principal, origin, lazy, spawnedBy }: SpawnOptions): Promise<MemberRow> {
    this.#commands.checkOpen();
    const { limits } = this.#parts;
    if (!isMemberId(spec.id)) throw mobError("mob.invalid_params", `${JSON.stringify(spec.id)} is no member id`);
    if (this.#view.members.size >= limits.members) throw mobError("mob.overloaded", `a mob has at most ${limits.members} members`);
    const { resume = "last" } = spec;
    const session = typeof resume === "string" ? undefined
      : await generationOf(this.#parts.ledger.store, { member: spec.id, session: resume.session_id });
    // Its process may have died before all was gone.
    if (this.#view.graves.has(spec.id)) await this.#ends.erase(spec.id);
    const event: LifeEvent = { is: "spawn", lazy, fresh: resume === "fresh" || resume === "last" && (this.#view.members.get(spec.id)?.seq ?? Infinity) < this.#view.mob.fresh_below };
    const row = await this.#commands.run(spec.id, event, { principal, spec, data: {
      origin, ...spawnedBy === undefined ? {} : { spawned_by: spawnedBy }, ...session === undefined ? {} : { session_generation: session },
    } });
    if (origin === "api" || origin === "helper") await this.#parts.spawned([spec.id]);
    return row;
  }

  retire(id: string, o: Parameters<MemberHost["retire"]>[1]): Promise<void> {
    return this.#ends.retire(id, o);
  }

  respawn(id: string, { principal, spec }: Parameters<MemberHost["respawn"]>[1]): Promise<MemberRow> {
    return this.#commands.run(id, { is: "respawn" }, { principal, ...spec === undefined ? {} : { spec } });
  }

  reset(id: string, { principal }: By): Promise<MemberRow> {
    return this.#commands.run(id, { is: "reset" }, { principal });
  }

  async setModel(id: string, model: string, { principal }: By): Promise<MemberRow> {
    this.#commands.known(id);
    const { spec } = this.#view.members.get(id) as MemberView;
    return await this.reload(id, { principal, spec: { ...spec, model } });
  }

  reload(id: string, { principal, spec }: Parameters<MemberHost["reload"]>[1]): Promise<MemberRow> {
    return this.#commands.run(id, { is: "reload" }, { principal, ...spec === undefined ? {} : { spec } });
  }

  repair(id: string, { principal, spec }: Parameters<MemberHost["repair"]>[1]): Promise<MemberRow> {
    return this.#commands.run(id, { is: "repair" }, { principal, ...spec === undefined ? {} : { spec } });
  }

  async suspend(id: string, { principal, why }: Parameters<MemberHost["suspend"]>[1]): Promise<void> {
    await this.#commands.run(id, { is: "suspend", why }, { principal });
  }

  async resume(id: string, { principal }: By): Promise<void> {
    await this.#commands.run(id, { is: "resume" }, { principal });
    const member = this.#live.of(id);
    if ((this.#view.members.get(id)?.open.length ?? 0) > 0) await member.awake();
  }

  async update(spec: MemberSpec, { principal }: By): Promise<MemberRow> {
    this.#commands.known(spec.id);
    return await this.#commands.note(spec.id, "member_updated", { principal, spec });
  }

  delete(id: string, by: By): Promise<MemberRow> {
    return this.#ends.delete(id, by);
  }

  async release(id: string, { principal }: By): Promise<void> {
    this.#commands.known(id);
    await this.#commands.note(id, "member_released", { principal });
  }

  /** A decision may be there before the members are: it waits for them. */
  async wake(id: string, name: string): Promise<void> {
    await this.#recovered.promise;
    this.#commands.checkOpen();
    this.#commands.known(id);
    (await this.#live.of(id).awake()).wake(name);
  }

  async performer(id: string): Promise<Performer> {
    await this.#recovered.promise;
    this.#commands.checkOpen();
    this.#commands.known(id);
    for (;;) {
      const member = this.#live.of(id);
      const incarnation = await member.awake();
      const performer = await incarnation.performer();
      // It may have been on its way to sleep.
      await member.during(() => Promise.resolve());
      if (incarnation.current) return performer;
      performer[Symbol.dispose]();
      this.#commands.checkOpen();
    }
  }

  /** Nothing is taken any more; `retires`: but what ends members. `why`: what callers hear, and whoever waits for such an end. */
  refuse(why: MobError, o: { readonly retires?: boolean } = {}): void {
    this.#commands.refuse(why, o);
    this.#recovered.resolve();
    if (o.retires !== true) this.#ends.giveUp(why);
  }

  /** No turn begins any more, until {@link recover}. Resolves when those that run have ended, or the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    await this.#live.drain(signal);
  }

  /** Turns that run go back into their mailboxes; all nodes close. `aborted` is told of those turns. */
  async close(o: Parameters<LiveMembers["close"]>[0]): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#prompts.pause(), this.#boot.pause(), this.#replies.pause()]);
    await this.#live.close(o);
  }

  /** Turns that run. */
  working(): readonly string[] {
    return this.#live.working();
  }

  /** Those whose nodes are open. */
  awake(): readonly string[] {
    return this.#live.awake();
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
    this.#live.known(id)?.turnOver();
    // It may have had no room for it.
    if (this.#view.members.get(id)?.untold !== undefined && this.#commands.refusal === undefined) this.#prompts.tell(id);
  }

  async #warm(id: string): Promise<void> {
    if (this.#view.members.get(id)?.life.state === "dormant" && !this.#closed) await this.#live.of(id).warm();
  }
}
