/**
 * Where the incarnation of a member sits (spec: mob 3.3, 3.5).
 *
 * takes a member that is to run, to stop, to sleep; gives its incarnation; promises that there is one at a time, and that what an old
 * one tells moves nobody; refuses nothing; never decides where the member goes.
 */
import type { MemberSpec, Profile } from "../definition/definition.ts";
import { Incarnation } from "./incarnation.ts";
import { makeInner } from "./inner.ts";
import type { BrokenKind, Life, LifeEvent } from "./life.ts";
import type { MemberParts, MoveMore } from "./parts.ts";
import type { Timers } from "./timers.ts";
import type { FencedWhat } from "./turn-context.ts";
import { isOfTheDisk } from "../ledger/storage.ts";
import { ERROR_CHARS, staleFence, startFailure } from "./turn-entries.ts";

/** The member that it belongs to. */
export interface SeatHolder {
  readonly id: string;
  readonly life: Life;
  readonly profile: Profile;
  readonly spec: MemberSpec;
  readonly closed: boolean;
  /** What has happened to that incarnation. */
  hear(event: LifeEvent, more?: MoveMore, of?: Incarnation): void;
}

export class Seat {
  readonly #parts: MemberParts;
  readonly #holder: SeatHolder;
  readonly #timers: Timers;
  #now: Incarnation | undefined;

  constructor(parts: MemberParts, holder: SeatHolder, timers: Timers) {
    this.#parts = parts;
    this.#holder = holder;
    this.#timers = timers;
  }

  get now(): Incarnation | undefined {
    return this.#now;
  }

  /** The one there is, or a new one that is being opened: mail is accepted, nothing runs. */
  incarnate(): Incarnation {
    return this.#now?.current === true ? this.#now : this.#now = this.#make();
  }

  start(afterMs: number): void {
    const now = this.incarnate();
    now.open().catch((error: unknown) => {
      if (this.#now !== now) return;
      this.#now = undefined;
      this.#startFailed(now.generation, { kind: "store_unavailable", detail: String(error).slice(0, ERROR_CHARS), fault: error });
    });
    if (afterMs === 0) now.begin();
    else this.#timers.start("again", afterMs, () => now.begin());
  }

  async stop(turn: "requeue" | "interrupted"): Promise<void> {
    this.#timers.stop("again", "idle", "renew");
    const now = this.#now;
    if (now === undefined) return;
    if (turn === "interrupted") await now.interrupt();
    this.#now = undefined;
    await now.close();
  }

  async sleep(): Promise<void> {
    const now = this.#now;
    this.#now = undefined;
    await now?.close();
  }

  /** After the turns that run, at the latest after 45 s; those that come meanwhile wait. */
  renewLater(): void {
    const now = this.#now;
    if (now === undefined) return;
    const renew = (): void => {
      this.#timers.stop("renew");
      this.#holder.hear({ is: "renew" }, {}, now);
    };
    this.#timers.start("renew", this.#parts.limits.reloadMs, renew);
    void now.pause().then(renew);
  }

  #make(): Incarnation {
    const { ledger, blobs, node, view, inner, limits, wallOf, tracer } = this.#parts;
    const holder = this.#holder;
    const { generation } = holder.life;
    const member = view.members.get(holder.id);
    const turnOf = (turnId: string) => view.turns.get(turnId);
    const made: Incarnation = new Incarnation({
      ledger, blobs, node, limits, tracer, member: holder.id, generation, conversations: holder.profile.conversations, turnOf,
      wallOf: (turnId) => wallOf?.(holder.id, turnId),
      session: member?.session ?? { generation, begun: false },
      // Read when its code begins: a node may have been there before, for mail alone.
      inner: async () => makeInner(inner, {
        spec: holder.spec, profile: holder.profile, generation, turnOf, untold: made.untold, session: made.session, writer: () => made.current ? made.writer : undefined,
        runningTurn: () => made.soleTurn, check: (turnId) => made.check(turnId, "tool"),
        hold: (turnId, until) => made.hold(turnId, until), leftOf: (turnId) => made.leftOf(turnId), traceOf: (turnId) => made.traceOf(turnId),
      }),
      events: {
        ready: (fence) => holder.hear({ is: "started" }, { data: { fence } }, made),
        startFailed: (kind, fault) => this.#startFailed(generation, { kind, detail: fault.message.slice(0, ERROR_CHARS), fault }, made),
        died: ({ message }) => holder.hear({ is: "crashed", detail: message.slice(0, ERROR_CHARS) }, {}, made),
        exited: () => holder.hear({ is: "exited" }, {}, made),
        spent: () => holder.hear({ is: "renew" }, {}, made),
        lost: (fence) => this.#lost(made, fence), refused: (what, about) => this.#sayStale(what, { generation, ...about }),
      },
    });
    return made;
  }

  /** While the store of the mob takes nothing nobody can start: it says nothing of this member, who is started when it does. */
  #startFailed(generation: number, { fault, ...why }: { readonly kind: BrokenKind; readonly detail: string; readonly fault: unknown }, by?: Incarnation): void {
    const { id, closed } = this.#holder;
    const { ledger, writer, limits: { storageProbeMs } } = this.#parts;
    if (closed || by !== undefined && by !== this.#now) return;
    // It may take all again by now.
    if (ledger.degraded !== undefined || isOfTheDisk(fault)) return this.#timers.start("again", storageProbeMs, () => this.start(0));
    void ledger.note(writer, startFailure(id, { ...why, generation }));
    this.#holder.hear({ is: "start_failed", ...why }, {}, by);
  }

  /** What it wrote was refused: the ledger says so, and it stops until somebody resumes it. */
  #lost(by: Incarnation, fence: number | undefined): void {
    if (this.#holder.life.state === "suspended") return;
    this.#sayStale("ledger", { generation: by.generation, fence });
    if (by === this.#now) this.#holder.hear({ is: "suspend", why: "fence_rejected" }, {}, by);
  }

  #sayStale(what: FencedWhat, o: Parameters<typeof staleFence>[1]): void {
    if (!this.#holder.closed) void this.#parts.ledger.note(this.#parts.writer, staleFence(this.#holder.id, o, what));
  }
}
