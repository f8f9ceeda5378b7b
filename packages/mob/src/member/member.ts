/**
 * A member that is not just a row: drives the table of its life with real effects (spec: mob 3.3, 3.6).
 *
 * takes commands and what its incarnation tells; gives nothing but moves; promises that they are made one at a time, each
 * written before it is made; refuses what its state does not allow; never waits for another member.
 */
import type { Clock, Json } from "@atoll-run/core";
import type { MemberSpec, Profile } from "../definition/definition.ts";
import { isAutonomous } from "../definition/mode.ts";
import { mobError } from "../errors.ts";
import { buryQueue } from "./bury.ts";
import type { Incarnation } from "./incarnation.ts";
import type { MemberParts, MoveMore } from "./parts.ts";
import { Seat, type SeatHolder } from "./seat.ts";
import { Timers } from "./timers.ts";
import { stepLife, type Life, type LifeAction, type LifeEvent } from "./life.ts";

const HEAR_AGAIN_MS = 1_000;
/** Its entry is before the attach of its scope in the one line of the store, so that it need not be waited for first: all of a wake is after it. */
const PIPELINED: ReadonlySet<LifeEvent["is"]> = new Set(["wake", "retry"]);
/** What it is made of is read anew then. */
const MAKES: ReadonlySet<LifeEvent["is"]> = new Set(["spawn", "respawn", "reset", "reload", "repair"]);

export class Member implements SeatHolder {
  readonly id: string;
  readonly #parts: MemberParts;
  #life: Life;
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  readonly #timers: Timers;
  readonly #seat: Seat;
  /** While it retires, by the monotonic clock. */
  #drainEndsMs = Infinity;
  #closed = false;
  /** Of those who wait until it is not on its way any more. */
  #settling: PromiseWithResolvers<void> | undefined;

  constructor(parts: MemberParts, id: string, life?: Life) {
    this.#parts = parts;
    this.#timers = new Timers(parts.node.clock);
    this.id = id;
    this.#life = life ?? parts.view.lifeOf(id);
    this.#seat = new Seat(parts, this, this.#timers);
  }

  get life(): Life {
    return this.#life;
  }

  /** Makes the move; false when the table has none. Throws when its entry could not be written: then nothing was done. */
  command(event: LifeEvent, more: MoveMore): Promise<boolean> {
    return this.#serial(() => this.#move(event, more));
  }

  /** In its line: nothing of it moves meanwhile. */
  during<T>(work: () => Promise<T>): Promise<T> {
    return this.#serial(work);
  }

  /** A node that takes its turns; it is woken. Throws for a member that takes none. */
  async awake(): Promise<Incarnation> {
    const { now } = this.#seat;
    if (now?.current === true && this.#life.state !== "dormant") return now;
    return await this.#serial(async () => {
      if (this.#closed) throw mobError("mob.shutting_down", "the mob is stopping");
      await this.#rouse();
      return this.#seat.incarnate();
    });
  }

  /** The running incarnation, if there is one. */
  get incarnation(): Incarnation | undefined {
    return this.#seat.now;
  }

  /** Starts it, when it sleeps; resolves when it is up, or has given up. */
  async warm(): Promise<void> {
    await this.#serial(() => this.#rouse());
    if (this.#isTrying) await (this.#settling ??= Promise.withResolvers()).promise;
  }

  async #rouse(): Promise<void> {
    // A retry is on its way: mail waits for it.
    if (this.#life.state === "dormant" && !this.#closed && !this.#timers.has("again")) await this.#move({ is: "wake" }, {});
  }

  /** Closes the node of one that nobody may use: it was opened to look into its mailbox. */
  async closeUnused(): Promise<void> {
    if (this.#life.state === "broken") await this.#serial(async () => (this.#life.state === "broken" ? this.#seat.stop("requeue") : undefined));
  }

  /** A turn of it has ended. */
  turnOver(): void {
    if (this.#open > 0) return;
    if (this.#life.state === "retiring") this.hear({ is: "drained" });
    else if (this.#life.state === "active") this.#armIdle();
  }

  /** Goes on where an earlier process was. */
  recover(): void {
    const { state } = this.#life;
    if (state === "retiring") void this.#serial(() => this.#drain(this.#parts.limits.drainMs, this.#open > 0)).catch(() => undefined);
    else if (state === "starting") void this.#serial(async () => this.#seat.start(0));
    else if (state === "broken") this.#timers.start("mend", this.#parts.limits.repairMs, () => this.hear({ is: "mend" }));
    else if (state === "dormant" && (this.#isWanted || this.#life.first)) this.hear({ is: "wake" });
  }

  /** One that retires has no more time than that for what it still has. */
  hurry(withinMs: number): void {
    if (this.#life.state === "retiring" && !this.#closed && this.#clock.monotonic() + withinMs < this.#drainEndsMs) this.#armDrain(withinMs);
  }

  /** It moves no more, and no turn of it begins. Resolves when those that run have ended. */
  async drain(): Promise<void> {
    this.#closed = true;
    this.#timers.stopAll();
    await this.#seat.now?.pause();
  }

  /** Lets go of everything; nothing is written of it. `aborted`: is told of turns that are given up. */
  async close({ stepMs, aborted }: { readonly stepMs: number; readonly aborted: (turnIds: readonly string[]) => void }): Promise<void> {
    this.#closed = true;
    this.#timers.stopAll();
    aborted(this.#seat.now?.abort() ?? []);
    await this.#line;
    aborted(this.#seat.now?.abort() ?? []);
    await this.#seat.now?.close({ stepMs });
    this.#timers.stopAll();
    this.#settle();
  }

  get #open(): number {
    return this.#parts.view.members.get(this.id)?.open.length ?? 0;
  }

  /** It has work, or is one that never sleeps. */
  get #isWanted(): boolean {
    return this.#open > 0 || isAutonomous(this.spec, this.#parts.profileOf(this.spec.profile));
  }

  get closed(): boolean {
    return this.#closed;
  }

  get spec(): MemberSpec {
    const { spec } = this.#parts.view.members.get(this.id) ?? {};
    if (spec === undefined) throw mobError("mob.not_found", `there is no member ${this.id}`);
    return spec;
  }

  get profile(): Profile {
    const { profile } = this.spec;
    const found = this.#parts.profileOf(profile);
    if (found === undefined) throw mobError("mob.not_found", `there is no profile ${profile}`);
    return found;
  }

  #serial<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const done = this.#line.then(work);
    this.#line = done.then(() => this.#settled(), () => this.#settled());
    return done;
  }

  #settled(): void {
    this.#waiting -= 1;
    if (this.#waiting === 0 && this.#seat.now === undefined && this.#timers.none) this.#parts.quiet(this.id);
  }

  /** What its incarnation or a timer tells; tried again while the ledger cannot be written. */
  hear(event: LifeEvent, more: MoveMore = {}, of?: Incarnation): void {
    void this.#serial(async () => {
      if (this.#closed || of !== undefined && of !== this.#seat.now) return;
      await this.#move(event, more);
    }).catch((error: unknown) => {
      const fields = { member: this.id, event: event.is, reason: String(error) };
      this.#parts.node.log.write({ level: "warn", target: "member", msg: "a move could not be made", fields });
      if (!this.#closed && !this.#timers.has("again")) this.#timers.start("again", HEAR_AGAIN_MS, () => this.hear(event, more, of));
    });
  }

  async #move(event: LifeEvent, { principal, data, spec }: MoveMore): Promise<boolean> {
    const { ledger, writer, node, limits } = this.#parts;
    const made = spec ?? this.#parts.view.members.get(this.id)?.spec;
    const { restart = "on_failure" } = this.#parts.profileOf(made?.profile ?? "") ?? {};
    const step = stepLife(this.#life, event, { limits, restart, now_ms: this.#clock.now(), chance: node.random() });
    if (step === undefined) return false;
    const fence = this.#seat.now?.writer?.epoch;
    const about = {
      source: "mob", member: this.id, generation: step.life.generation, ...principal === undefined ? {} : { principal }, ...fence === undefined ? {} : { fence },
    };
    const [first, ...others] = step.entries;
    let written: Promise<unknown> | undefined;
    if (first !== undefined) {
      const hash = made === undefined || !MAKES.has(event.is) ? {} : { spec_hash: this.#parts.hashOf(made) };
      const more = { ...data, ...spec === undefined ? {} : { spec: spec as unknown as Json }, ...hash };
      written = ledger.append(writer, [
        { ...about, kind: first.kind, data: { ...first.data, ...more } }, ...others.map((entry) => ({ ...about, ...entry })),
      ]);
      if (!PIPELINED.has(event.is)) await written;
      // Told below.
      else written.catch(() => undefined);
    }
    this.#life = step.life;
    if (step.life.state !== "retiring") this.#timers.stop("drain");
    if (step.life.state !== "broken") this.#timers.stop("mend");
    if (event.is === "started" && this.#open === 0) this.#armIdle();
    for (const action of step.actions) await this.#act(action);
    await written;
    if (!this.#isTrying) this.#settle();
    return true;
  }

  get #isTrying(): boolean {
    return this.#life.state === "starting" || this.#timers.has("again");
  }

  #settle(): void {
    this.#settling?.resolve();
    this.#settling = undefined;
  }

  async #act(action: LifeAction): Promise<void> {
    const { generation } = this.#life;
    switch (action.do) {
      case "start": return this.#seat.start(action.after_ms);
      case "stop": return await this.#seat.stop(action.turn);
      case "sleep": return await this.#sleep();
      case "drain": return await this.#drain(action.within_ms, false);
      case "bury_queue": return await buryQueue({ ledger: this.#parts.ledger, clock: this.#clock }, { member: this.id, generation, reason: action.reason });
      case "leave_edges": return await this.#parts.leaveEdges(this.id);
      case "reload": return this.#seat.renewLater();
      case "mend": return this.#timers.start("mend", action.after_ms, () => this.hear({ is: "mend" }));
      case "retry": return this.#timers.start("again", action.after_ms, () => this.hear({ is: "retry" }));
    }
  }

  async #sleep(): Promise<void> {
    await this.#seat.sleep();
    // What was accepted while it went to sleep.
    if (this.#isWanted) this.hear({ is: "wake" });
  }

  async #drain(withinMs: number, start: boolean): Promise<void> {
    if (start) this.#seat.start(0);
    this.#timers.stop("idle");
    if (this.#open === 0) this.hear({ is: "drained" });
    else this.#armDrain(withinMs);
  }

  #armDrain(withinMs: number): void {
    this.#drainEndsMs = this.#clock.monotonic() + withinMs;
    this.#timers.start("drain", withinMs, () => this.hear({ is: "drain_deadline" }));
  }

  #armIdle(): void {
    const { spec, profile } = this;
    if (isAutonomous(spec, profile)) return;
    this.#timers.start("idle", profile.idle_after_ms, () => {
      this.hear({ is: "idle", busy: this.#open > 0 || (this.#seat.now?.running ?? 0) > 0 });
    });
  }

  get #clock(): Clock {
    return this.#parts.node.clock;
  }
}
