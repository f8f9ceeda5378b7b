/**
 * One life of a member between two starts (spec: mob 3.3, 3.5, 3.8): a local node over the member's scope, and the code that
 * handles its turns behind it.
 *
 * takes turns; gives their ends to mailbox and ledger in one commit; promises that nothing it writes counts once another
 * incarnation has begun; refuses a turn when it is closing; never starts code before it is told to begin.
 *
 * closed → open: the node is up, turns are accepted and wait. → ready: its code has started, turns run. Any → over.
 */
import { isFault, nodeError, withDeadline, type Fault, type StateOp } from "@atoll-run/core";
import { createNode, type CloseReport, type NodeHandle, type NodeParts } from "@atoll-run/node";
import { apart } from "../apart.ts";
import type { Blobs } from "../blobs/blobs.ts";
import { mobError, type MobError } from "../errors.ts";
import { memberScope } from "../ids.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { MobTracer } from "../observe/tracer.ts";
import { sessionOf } from "../sessions/record.ts";
import { openSession } from "../sessions/sessions.ts";
import { UntoldTokens } from "../sessions/tokens.ts";
import type { Hold, Performer } from "./host.ts";
import type { Inner } from "./inner.ts";
import type { BrokenKind } from "./life.ts";
import { memberLog } from "./member-log.ts";
import type { Turn, TurnBody } from "./turn.ts";
import type { FencedWhat } from "./turn-context.ts";
import { TURN_ROUTE, TurnDesk, type DeskParts } from "./turn-desk.ts";

export interface IncarnationParts {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  readonly node: NodeParts;
  readonly limits: MobLimits;
  readonly tracer?: MobTracer | undefined;
  readonly member: string;
  readonly generation: number;
  readonly conversations: number;
  /** Generation in which its session began, and whether code was started with it before. */
  readonly session: { readonly generation: number; readonly begun: boolean };
  /** As the ledger tells of it. */
  readonly turnOf: (turnId: string) => Turn | undefined;
  readonly wallOf?: DeskParts["wallOf"];
  /** Its code, not started. */
  readonly inner: () => Promise<Inner>;
  readonly events: IncarnationEvents;
}

export interface IncarnationEvents {
  ready(fence: number): void;
  startFailed(kind: BrokenKind, fault: Fault): void;
  /** Its code has ended by itself: badly, or well. */
  died(fault: Fault): void;
  exited(): void;
  /** Another one is to be made: its code goes on with a turn that has ended, or its node has ended with a store that failed. */
  spent(): void;
  /** It has lost its scope to another; may be told more than once. */
  lost(fence: number | undefined): void;
  /** Code of it that it has let go of has tried something. */
  refused(what: FencedWhat, about: { readonly fence: number | undefined; readonly turn_id?: string }): void;
}

/** Handlers hear at once that they are to stop, and get so long for it. */
const STOP_STEP_MS = 300;
/** How long code that is cancelled gets to stop by itself. */
const CANCEL_MS = 5_000;
const TYPE = { manufacturer: "atoll", name: "member", version: "1.0.0" } as const;

export class Incarnation {
  readonly #parts: IncarnationParts;
  readonly #desk: TurnDesk;
  /** Id of the one it goes on with. */
  readonly session: string;
  readonly untold: UntoldTokens;
  #handle: NodeHandle | undefined;
  #starting: Promise<NodeHandle> | undefined;
  #over: Promise<CloseReport | undefined> | undefined;
  #inner: Promise<Inner | undefined> | undefined;
  /** Calls that were put off and are under way. */
  #performing = 0;

  constructor(parts: IncarnationParts) {
    this.#parts = parts;
    const { member, generation, conversations, ledger, blobs, limits, tracer, turnOf, session, wallOf, node: { log, clock } } = parts;
    this.session = sessionOf(member, session.generation);
    this.untold = new UntoldTokens(turnOf);
    this.#desk = new TurnDesk({
      untold: this.untold, ledger, blobs, member, generation, conversations, turnOf, log, clock, limits, tracer, session: this.session, writer: () => this.writer,
      wallOf: wallOf ?? (() => undefined), stuck: () => parts.events.spent(), starved: (fault) => {
        if (this.current) parts.events.died(fault);
      },
      stale: () => parts.events.lost(this.writer?.epoch), refused: (what, turn_id) => parts.events.refused(what, { fence: this.writer?.epoch, turn_id }),
      closeInner: (signal) => this.#closeInner(signal),
    });
  }

  get generation(): number {
    return this.#parts.generation;
  }

  /** False: it is over, and nothing of it counts. */
  get current(): boolean {
    return this.#over === undefined;
  }

  /** Undefined: not open yet. */
  get writer(): Writer | undefined {
    return this.#handle === undefined ? undefined : { scope: this.#handle.name, epoch: this.#handle.epoch };
  }

  /** Turns that run. */
  get running(): number {
    return this.#desk.running + this.#performing;
  }

  /** Throws `mob.stale_fence` where code of a turn that it has let go of, or of an incarnation that is over, enters. */
  check(turnId: string | undefined, what: FencedWhat): void {
    if (turnId !== undefined) this.#desk.contextOf(turnId)?.check(what);
    if (this.current) return;
    this.#parts.events.refused(what, { fence: this.writer?.epoch, ...turnId === undefined ? {} : { turn_id: turnId } });
    throw mobError("mob.stale_fence", `a newer incarnation of ${this.#parts.member} has begun`, { facts: { what } });
  }

  /** See {@link ToolCall.hold}. */
  hold(turnId: string, until: string): Hold | undefined {
    return this.current ? this.#desk.hold(turnId, until) : undefined;
  }

  /** See {@link MemberHost.performer}. */
  async performer(): Promise<Performer> {
    const { member } = this.#parts;
    let stays = true;
    this.#performing += 1;
    const leave = (): void => {
      if (stays) this.#performing -= 1;
      stays = false;
    };
    try {
      const inner = await this.#inner;
      if (inner === undefined || !this.current) throw mobError("mob.unavailable", `${member} has not started`, { facts: { what: "member" } });
      const { perform } = inner;
      if (perform === undefined) throw mobError("mob.conflict", `the code of ${member} makes no call later`, { facts: { what: "state", member } });
      return { [Symbol.dispose]: leave, perform: async (call, signal) => {
        this.check(undefined, "tool");
        return await perform(call, signal);
      } };
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Milliseconds left of a turn; undefined: it does not run. */
  leftOf(turnId: string): number | undefined {
    return this.#desk.contextOf(turnId)?.remainingMs();
  }

  /** See {@link TurnDesk.traceOf}. */
  traceOf(turnId: string): string | undefined {
    return this.#desk.traceOf(turnId);
  }

  /** The turn that runs, when there is just one. */
  get soleTurn(): string | undefined {
    return this.#desk.soleTurn;
  }

  /** Turns that come from now on wait; resolves when none runs any more. */
  pause(): Promise<void> {
    return this.#desk.pause();
  }

  /** Turns are accepted from now on. Throws the fault of the start. */
  open(): Promise<NodeHandle> {
    this.#starting ??= apart(() => this.#open());
    return this.#starting;
  }

  /** Starts its code; what comes of it is told by the events. */
  begin(): void {
    this.#inner ??= apart(() => this.#begin());
  }

  /** Resolves when the turn is stored with `also`; `traceparent`: of whoever has asked for it. */
  async accept(body: TurnBody, also: readonly StateOp[], traceparent?: string): Promise<{ readonly duplicate: boolean }> {
    const handle = await this.open();
    const { turn_id, conversation, deadline_at_ms } = body;
    const ttlMs = Math.max(1, Math.ceil(deadline_at_ms - this.#parts.node.clock.now()));
    const told = { to: "self", requestId: turn_id, orderKey: conversation, ttlMs, also };
    return await handle.tellRaw(TURN_ROUTE, new TextEncoder().encode(JSON.stringify(body)), traceparent === undefined ? told : { ...told, traceparent });
  }

  /** Runs turns again that were parked under that name; gives how many. */
  wake(name: string): number {
    return this.#handle?.wake(name) ?? 0;
  }

  /** Gives up a turn that waits, with `also` in one commit; false when it does not wait. */
  async drop(turnId: string, also: readonly StateOp[]): Promise<boolean> {
    const handle = await this.open();
    const { store } = this.#parts.ledger;
    const row = await store.find(handle.name, { sender: "local", route: TURN_ROUTE, request_id: turnId });
    if (row === undefined || !("seq" in row)) return false;
    return await handle.mailbox.drop(row.seq, { also }).then(() => true, (error: unknown) => {
      if (isFault(error) && (error.code === "node.wrong_state" || error.code === "node.not_found")) return false;
      throw error;
    });
  }

  /** Tells a running turn to stop; it ends as cancelled, at the latest after 5 s. False when it does not run. */
  async cancel(turnId: string, why: MobError): Promise<boolean> {
    const { clock, log } = this.#parts.node;
    const stopped = this.#desk.stop(turnId, { kind: "turn_cancelled", error: why });
    if (stopped === undefined) return false;
    const inTime = await withDeadline(() => stopped, { clock, ms: CANCEL_MS }).then(() => true, () => false);
    if (inTime) return true;
    this.#desk.cut(turnId);
    // Its code goes on: what it still does must not count, so another one is made.
    log.write({ level: "warn", target: "member", msg: "code did not stop when its turn was cancelled, and is let go of", fields: { member: this.#parts.member, turn_id: turnId } });
    this.#parts.events.spent();
    return true;
  }

  /** Ends running turns as failed: what they were part of is no more. */
  async interrupt(): Promise<void> {
    await this.#desk.cutAll(mobError("mob.interrupted", "the member was started anew while the turn ran"));
  }

  /** Turns that its code has. */
  get working(): readonly string[] {
    return this.#desk.working;
  }

  /** Takes its turns from their code: they run again in the next one. Gives their ids. */
  abort(): readonly string[] {
    return this.#desk.shut();
  }

  /** Lets go of the scope. Turns that run are given up, and run again in the next one. */
  close({ stepMs = STOP_STEP_MS }: { readonly stepMs?: number } = {}): Promise<CloseReport | undefined> {
    this.#over ??= this.#close(stepMs);
    return this.#over;
  }

  async #open(): Promise<NodeHandle> {
    const { node, member, events, ledger } = this.#parts;
    const assembled = await createNode({ ...node, store: ledger.store, log: memberLog(node.log, member) }, {
      name: memberScope(member), type: TYPE, durability: ledger.store.supports.durable ? "full" : "memory", restart: "host",
    }).attach(this.#desk.workload);
    if (!this.current) throw closing(member);
    const handle = await assembled.start();
    this.#handle = handle;
    void handle.closed.then(() => {
      if (!this.current) return;
      if (handle.lost?.code === "state.broken") events.spent();
      else events.lost(handle.epoch);
    });
    return handle;
  }

  async #begin(): Promise<Inner | undefined> {
    const { inner, events, ledger, node, member, session, limits: { startMs } } = this.#parts;
    let made: Inner | undefined;
    try {
      const handle = await this.open();
      const writer = { scope: handle.name, epoch: handle.epoch };
      const [workload] = await Promise.all([inner(), openSession({ ledger, writer }, this.session, { member, ...session })]);
      made = workload;
      const host = this.#desk.hostFor((fault) => {
        if (!this.current) return;
        const { exit_code, cotenant } = fault.facts as { readonly exit_code?: number; readonly cotenant?: boolean };
        if (exit_code === 0) events.exited();
        // It has not crashed: another one of its thread has.
        else if (cotenant === true) events.spent();
        else events.died(fault);
      });
      await withDeadline((signal) => workload.start(host, { signal }), { clock: node.clock, ms: startMs, signal: this.#desk.signal, what: `the start of ${member}` });
      if (this.current) {
        this.#desk.begin(workload);
        events.ready(handle.epoch);
      }
      return workload;
    } catch (error) {
      const fault = toFault(error);
      // What it has begun ends with it.
      await withDeadline((signal) => made?.close({ signal }), { clock: node.clock, ms: CANCEL_MS }).catch(() => undefined);
      // The ledger tells only of the last try; what is wrong should be seen before.
      node.log.write({ level: "warn", target: "member", msg: "a start failed", fields: { member, code: fault.code, reason: fault.message } });
      if (this.current) events.startFailed(kindOf(error), fault);
      // It may be tried again.
      this.#inner = undefined;
      return undefined;
    }
  }

  async #close(stepMs: number): Promise<CloseReport | undefined> {
    const handle = await this.#starting?.catch(() => undefined);
    this.#desk.shut();
    return await handle?.close({ stepMs });
  }

  async #closeInner(signal: AbortSignal): Promise<void> {
    const workload = await this.#inner;
    this.#inner = undefined;
    await workload?.close({ signal });
  }
}

function closing(member: string): Fault {
  return nodeError("node.draining", `${member} is being stopped`);
}

/** Why it will be broken, when the fault says it. */
function kindOf(error: unknown): BrokenKind {
  return isFault(error) ? (error.facts as { readonly kind?: BrokenKind }).kind ?? "start_failed" : "start_failed";
}

function toFault(error: unknown): Fault {
  return isFault(error) ? error : mobError("mob.internal", error instanceof Error ? error.message : String(error), { cause: error });
}
