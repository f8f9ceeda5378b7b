/**
 * A member that is not just a row: drives the table of its life with real effects (spec: mob 3.3, 3.6).
 *
 * takes commands and what its incarnation tells; gives nothing but moves; promises that they are made one at a time, each
 * written before it is made; refuses what its state does not allow; never waits for another member.
 */
import type { Clock, Json } from "@atoll-run/core";
import type { NodeParts } from "@atoll-run/node";
import type { MemberSpec, Profile } from "../definition/definition.ts";
import { mobError } from "../errors.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { View } from "../roster/view.ts";
import { buryQueue } from "./bury.ts";
import { Incarnation } from "./incarnation.ts";
import { makeInner, type InnerParts } from "./inner.ts";
import { Timers } from "./timers.ts";
import { staleFence } from "./turn-entries.ts";
import type { FencedWhat } from "./turn-context.ts";
import { NOBODY, stepLife, type Life, type LifeAction, type LifeEvent } from "./life.ts";

export interface MemberParts {
  readonly ledger: Ledger;
  /** The mob's own. */
  readonly writer: Writer;
  readonly view: View;
  readonly node: NodeParts;
  readonly inner: InnerParts;
  readonly limits: MobLimits;
  readonly profileOf: (name: string) => Profile | undefined;
  /** Takes its edges away. */
  readonly leaveEdges: (id: string) => Promise<void>;
  /** It has neither node nor timer: its row says all there is of it. */
  readonly quiet: (id: string) => void;
}

/** What stands beside a move in its first entry. */
export interface MoveMore {
  readonly principal?: string;
  readonly data?: Readonly<Record<string, Json>>;
  /** What it is to be from now on. */
  readonly spec?: MemberSpec;
}

const HEAR_AGAIN_MS = 1_000;
const RELOAD_MS = 45_000;
const LOOK_MS = 50;

export class Member {
  readonly id: string;
  readonly #parts: MemberParts;
  #life: Life;
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #now: Incarnation | undefined;
  readonly #timers: Timers;
  #closed = false;

  constructor(parts: MemberParts, id: string, life?: Life) {
    this.#parts = parts;
    this.#timers = new Timers(parts.node.clock);
    this.id = id;
    this.#life = life ?? parts.view.members.get(id)?.life ?? NOBODY;
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
    if (this.#now?.current === true && this.#life.state !== "dormant") return this.#now;
    return await this.#serial(async () => {
      if (this.#closed) throw mobError("mob.shutting_down", "the mob is stopping");
      // A retry is on its way: mail waits for it.
      if (this.#life.state === "dormant" && !this.#timers.has("again")) await this.#move({ is: "wake" }, {});
      return this.#incarnate();
    });
  }

  /** Closes the node of one that nobody may use: it was opened to look into its mailbox. */
  async closeUnused(): Promise<void> {
    if (this.#life.state === "broken") await this.#serial(async () => (this.#life.state === "broken" ? this.#stop("requeue") : undefined));
  }

  /** The running incarnation, if there is one. */
  get incarnation(): Incarnation | undefined {
    return this.#now;
  }

  /** A turn of it has ended. */
  turnOver(): void {
    if (this.#open > 0) return;
    if (this.#life.state === "retiring") this.#hear({ is: "drained" });
    else if (this.#life.state === "active") this.#armIdle();
  }

  /** Goes on where an earlier process was. */
  recover(): void {
    const { state } = this.#life;
    if (state === "retiring") void this.#serial(() => this.#drain(this.#parts.limits.drainMs, this.#open > 0)).catch(() => undefined);
    else if (state === "starting") void this.#serial(async () => this.#start(0));
    else if (state === "dormant" && this.#open > 0) this.#hear({ is: "wake" });
  }

  /** Lets go of everything; nothing is written of it. */
  async close(drainMs: number): Promise<void> {
    this.#closed = true;
    this.#timers.stop("again", "idle", "drain");
    await this.#line;
    await this.#now?.close({ drainMs });
    this.#timers.stop("again", "idle");
  }

  hurry(stepMs: number): void {
    this.#now?.hurry(stepMs);
  }

  get #open(): number {
    return this.#parts.view.members.get(this.id)?.open.length ?? 0;
  }

  get #spec(): MemberSpec {
    const { spec } = this.#parts.view.members.get(this.id) ?? {};
    if (spec === undefined) throw mobError("mob.not_found", `there is no member ${this.id}`);
    return spec;
  }

  get #profile(): Profile {
    const { profile } = this.#spec;
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
    if (this.#waiting === 0 && this.#now === undefined && !this.#timers.has("again")) this.#parts.quiet(this.id);
  }

  /** What its incarnation or a timer tells; tried again while the ledger cannot be written. */
  #hear(event: LifeEvent, more: MoveMore = {}, of?: Incarnation): void {
    void this.#serial(async () => {
      if (this.#closed || of !== undefined && of !== this.#now) return;
      await this.#move(event, more);
    }).catch((error: unknown) => {
      const fields = { member: this.id, event: event.is, reason: String(error) };
      this.#parts.node.log.write({ level: "warn", target: "member", msg: "a move could not be made", fields });
      if (!this.#closed && !this.#timers.has("again")) this.#timers.start("again", HEAR_AGAIN_MS, () => this.#hear(event, more, of));
    });
  }

  async #move(event: LifeEvent, { principal, data, spec }: MoveMore): Promise<boolean> {
    const { ledger, writer, node } = this.#parts;
    const restart = this.#life.state === "none" ? "on_failure" : this.#profile.restart;
    const step = stepLife(this.#life, event, { restart, now_ms: this.#clock.now(), chance: node.random() });
    if (step === undefined) return false;
    const fence = this.#now?.writer?.epoch;
    const about = {
      source: "mob", member: this.id, generation: step.life.generation, ...principal === undefined ? {} : { principal }, ...fence === undefined ? {} : { fence },
    };
    const [first, ...others] = step.entries;
    if (first !== undefined) {
      const more = { ...data, ...spec === undefined ? {} : { spec: spec as unknown as Json } };
      await ledger.append(writer, [
        { ...about, kind: first.kind, data: { ...first.data, ...more } }, ...others.map((entry) => ({ ...about, ...entry })),
      ]);
    }
    this.#life = step.life;
    if (step.life.state !== "retiring") this.#timers.stop("drain");
    if (event.is === "started" && this.#open === 0) this.#armIdle();
    for (const action of step.actions) await this.#act(action);
    return true;
  }

  async #act(action: LifeAction): Promise<void> {
    const { generation } = this.#life;
    switch (action.do) {
      case "start": return this.#start(action.after_ms);
      case "stop": return await this.#stop(action.turn);
      case "sleep": return await this.#sleep();
      case "drain": return await this.#drain(action.within_ms, false);
      case "bury_queue": return await buryQueue({ ledger: this.#parts.ledger, clock: this.#clock }, { member: this.id, generation, reason: action.reason });
      case "leave_edges": return await this.#parts.leaveEdges(this.id);
      case "reload": return await this.#reload();
      case "retry": return this.#timers.start("again", action.after_ms, () => this.#hear({ is: "retry" }));
    }
  }

  #start(afterMs: number): void {
    const now = this.#incarnate();
    now.open().catch((error: unknown) => {
      if (this.#now !== now) return;
      this.#now = undefined;
      this.#hear({ is: "start_failed", kind: "store_unavailable", detail: String(error) });
    });
    if (afterMs === 0) now.begin();
    else this.#timers.start("again", afterMs, () => now.begin());
  }

  async #stop(turn: "requeue" | "interrupted"): Promise<void> {
    this.#timers.stop("again", "idle");
    const now = this.#now;
    if (now === undefined) return;
    if (turn === "interrupted") await now.interrupt();
    this.#now = undefined;
    await now.close();
  }

  async #sleep(): Promise<void> {
    const now = this.#now;
    this.#now = undefined;
    await now?.close();
    // What was accepted while it went to sleep.
    if (this.#open > 0) this.#hear({ is: "wake" });
  }

  async #drain(withinMs: number, start: boolean): Promise<void> {
    if (start) this.#start(0);
    this.#timers.stop("idle");
    if (this.#open === 0) this.#hear({ is: "drained" });
    else this.#timers.start("drain", withinMs, () => this.#hear({ is: "drain_deadline" }));
  }

  /** After the turns that run. */
  async #reload(): Promise<void> {
    if (this.#life.state !== "active") return;
    for (const endMs = this.#clock.monotonic() + RELOAD_MS; (this.#now?.running ?? 0) > 0 && this.#clock.monotonic() < endMs;) {
      await new Promise<void>((resolve) => void this.#clock.after(LOOK_MS, resolve));
    }
    await this.#stop("requeue");
    this.#start(0);
  }

  /** The one there is, or a new one that is being opened. */
  #incarnate(): Incarnation {
    if (this.#now?.current === true) return this.#now;
    const { ledger, node, view, inner, limits } = this.#parts;
    const { generation } = this.#life;
    const [profile, spec] = [this.#profile, this.#spec];
    const turnOf = (turnId: string) => view.turns.get(turnId);
    const made: Incarnation = new Incarnation({
      ledger, node, limits, member: this.id, generation, conversations: profile.conversations, turnOf,
      sessionFrom: (view.members.get(this.id)?.session ?? this.#life).generation,
      inner: async () => makeInner(inner, {
        spec, profile, generation, turnOf, session: made.session, writer: () => made.current ? made.writer : undefined, runningTurn: () => made.soleTurn,
        check: (turnId) => made.check(turnId, "tool"),
      }),
      events: {
        ready: (fence) => this.#hear({ is: "started" }, { data: { fence } }, made),
        startFailed: (kind, { message: detail }) => this.#hear({ is: "start_failed", kind, detail }, {}, made),
        died: (fault) => this.#hear({ is: "crashed", detail: fault.message }, {}, made),
        lost: (fence) => this.#lost(made, fence), refused: (what, about) => this.#sayStale(what, { generation, ...about }),
      },
    });
    this.#now = made;
    return made;
  }

  /** What it wrote was refused: the ledger says so, and it stops until somebody resumes it. */
  #lost(by: Incarnation, fence: number | undefined): void {
    if (this.#life.state === "suspended") return;
    this.#sayStale("ledger", { generation: by.generation, fence });
    if (by !== this.#now) return;
    this.#hear({ is: "suspend", why: "fence_rejected" }, {}, by);
  }

  #sayStale(what: FencedWhat, o: Parameters<typeof staleFence>[1]): void {
    if (!this.#closed) void this.#parts.ledger.note(this.#parts.writer, staleFence(this.id, o, what));
  }

  #armIdle(): void {
    this.#timers.start("idle", this.#profile.idle_after_ms, () => {
      this.#hear({ is: "idle", busy: this.#open > 0 || (this.#now?.running ?? 0) > 0 });
    });
  }

  get #clock(): Clock {
    return this.#parts.node.clock;
  }
}
