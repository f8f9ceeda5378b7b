/**
 * Members as the other rooms of a mob see them (spec: mob 2.6 `MemberHost`, 3.3 to 3.9). Types only.
 *
 * takes commands and turns; gives tickets, and the turn when it has ended; promises that a move is in the ledger before
 * it is made, and that an accepted turn ends once; refuses what the state of the member does not allow; never makes one
 * member wait for another.
 */
import type { Json } from "@atoll-run/core";
import type { Bootstrap, MemberSpec } from "../definition/definition.ts";
import type { Taint } from "../sessions/taint.ts";
import type { MemberRow } from "./row.ts";
import type { Ticket, Turn } from "./turn.ts";

export interface TurnAsk {
  /** Member id. */
  readonly to: string;
  /** Who is told to the member: a member id, `flow`, `console`. */
  readonly from: string;
  /** On whose behalf. */
  readonly principal: string;
  readonly content: Json;
  /** Turns of one conversation run one at a time, in order. Default: `from`. */
  readonly conversation?: string;
  /** Idempotency key, of (principal, member, conversation): the same key and content give the same ticket. */
  readonly key?: string;
  /** `turn`: what becomes of it is a turn for `from`, a member. */
  readonly reply?: "turn";
  /** It is what has become of that turn; members need no edge for it. */
  readonly inReplyTo?: string;
  /** From acceptance to the end, milliseconds; default `turnMs`. */
  readonly deadlineMs?: number;
  readonly run?: { readonly run_id: string; readonly step_id: string };
  /** W3C, of whoever asks: the turn is in that trace. */
  readonly traceparent?: string;
  /** `seq` of the entry that it tells of. */
  readonly causeSeq?: number;
  /** What is known of its content; what its blocks say and who sends it may make it worse. Default: clean. */
  readonly taint?: Taint;
}

/** Who gives a command. */
export interface By {
  readonly principal: string;
}

/** How far a start is (spec: mob 7.5). */
export interface BootNow {
  readonly mode: Bootstrap["mode"];
  /** Nobody is on the way any more. */
  readonly complete: boolean;
  /** It is what was asked for: with `eager` all are up. */
  readonly ready: boolean;
  /** With `eager`: the first that is broken. */
  readonly error?: { readonly member: string; readonly code: string; readonly text: string };
  readonly counts: { readonly dormant: number; readonly warming: number; readonly active: number; readonly broken: number };
}

export interface SpawnOptions extends By {
  readonly origin: MemberRow["origin"];
  /** It starts at its first turn. */
  readonly lazy: boolean;
  /** The member that wants it. */
  readonly spawnedBy?: string;
}

/**
 * `spawn` throws `mob.session_not_found` for a session to resume that is not one of its own.
 * Those that take a spec throw `mob.invalid_params` for a profile that is not there and `mob.grant_widened` for grants that are not
 * within those of its profile. All of them throw `mob.not_found` for a member that is not there, `mob.storage_degraded`, `mob.shutting_down`.
 */
export interface MemberHost {
  /** `only`: those who are counted; whether it is complete and ready is of all. */
  boot(only?: (member: string) => boolean): BootNow;
  /** Resolves when those who are started without work are up, or have given up. Throws the reason of the signal. */
  warmed(signal: AbortSignal): Promise<void>;
  /** Resolves when the turn is stored. Throws `mob.content_empty`, `mob.overloaded`, `mob.member_gone`, `mob.member_broken`, `mob.conflict`. */
  send(ask: TurnAsk): Promise<Ticket>;
  /** Resolves when that turn has ended; at once when it has. Throws `mob.not_found`, `mob.deadline`. */
  wait(turnId: string, o: { readonly signal?: AbortSignal; readonly waitMs?: number }): Promise<Turn>;
  /** Gives the state it had, when it had ended. */
  cancel(turnId: string, by: By & { readonly reason?: string | undefined }): Promise<Turn>;
  /** Throws `mob.conflict` when somebody of that id lives. */
  spawn(spec: MemberSpec, o: SpawnOptions): Promise<MemberRow>;
  /** Resolves when it is retired, without `waits` when it takes nothing more. `hold`: reconcile leaves it alone until it is released. */
  retire(id: string, o: By & { readonly drainMs?: number; readonly hold?: boolean; readonly waits?: boolean }): Promise<void>;
  respawn(id: string, o: By & { readonly spec?: MemberSpec }): Promise<MemberRow>;
  reset(id: string, o: By): Promise<MemberRow>;
  /** Profile, script and grants are read again after the running turn. */
  reload(id: string, o: By & { readonly spec?: MemberSpec }): Promise<MemberRow>;
  /** Its own, whatever its profile says; after the running turn. */
  setModel(id: string, model: string, o: By): Promise<MemberRow>;
  repair(id: string, o: By & { readonly spec?: MemberSpec }): Promise<MemberRow>;
  suspend(id: string, o: By & { readonly why: "lease_lost" | "fence_rejected" | "operator" }): Promise<void>;
  resume(id: string, o: By): Promise<void>;
  /** Labels, context, name: in place. */
  update(spec: MemberSpec, o: By): Promise<MemberRow>;
  /** Ends it at once, and takes away all it has but its entries; who comes under that id later is somebody new. Gives its last row. */
  delete(id: string, o: By): Promise<MemberRow>;
  release(id: string, o: By): Promise<void>;
  /** Turns that were parked under that name run again: `approval:<id>`. Starts the member when it is dormant. */
  wake(id: string, name: string): Promise<void>;
  /** Makes calls for that member, whose code has started. Throws `mob.unavailable` while it has not, `mob.conflict` where its code makes none. */
  performer(id: string): Promise<Performer>;
}

/** A call that was put off, and is made now: grants are asked again, the policy is not. */
export interface PutOff {
  readonly approval: string;
  readonly grant: string;
  readonly tool: string | null;
  readonly fn: string | null;
  readonly args: Json;
}

export type Perform = (call: PutOff, signal: AbortSignal) => Promise<Json>;

/** Its member stays awake until this is disposed. */
export interface Performer extends Disposable {
  readonly perform: Perform;
}

/** What a member is about to do, as its guard is asked: after the grants, before the call. */
export interface ToolCall {
  readonly member: string;
  readonly generation: number;
  /** Absent: outside of a turn. */
  readonly turn_id?: string;
  readonly principal?: string;
  /** Verb of the grant: `fs.write`, `net`, `run`. */
  readonly grant: string;
  readonly tool?: string;
  /** Function of the script API. */
  readonly fn?: string;
  /** What it is done to: a path, a host, a program; absent: as the arguments say. */
  readonly object?: string;
  readonly args: Json;
  /** `traceparent` of what asks for it; absent: nobody takes spans. */
  readonly trace?: string;
  readonly signal: AbortSignal;
  /**
   * Keeps the turn where it is while a decision is waited for under that name: its time stands still. Undefined, or absent: it cannot stay, and is parked.
   */
  readonly hold?: (until: string) => Hold | undefined;
  /** Which run of the turn it is: the next one makes the same calls again. */
  readonly pass?: string;
  /** Has `keep` told what the call gives, before its code goes on. Absent: nobody can tell. */
  readonly done?: (keep: (made: Json) => Promise<void>) => void;
}

/** A turn that waits where it is; it goes on when this is disposed. */
export interface Hold extends Disposable {
  /** Aborts when the wait is to end: the turn is given up, or parked after all. */
  readonly signal: AbortSignal;
}

/**
 * `park`: the turn waits for the wake-up of that name, then runs again; `answer` stands for the call; so does `made`, which is what an earlier run of the
 * turn had told to `keep`.
 */
export type ToolAnswer = "allow" | { readonly deny: string } | { readonly answer: Json } | { readonly park: string } | { readonly made: Json };

export type ToolGuard = (call: ToolCall) => Promise<ToolAnswer>;
