/** One message in this process, from its arrival to its end. Its body may be on the disk only. */
import { hash } from "node:crypto";
import { parseTraceparent, type Principal, type StateOp } from "@atoll-run/core";
import type { Envelope } from "@atoll-run/core/internal";
import { idText } from "../identity/id-text.ts";
import type { OpenSpan } from "../observe/tracer.ts";
import type { Admission, Arrival, Settled } from "./inbox.ts";
import type { Policy } from "./policy.ts";

/** Text of whoever is this process itself. No text of a node id looks like it. */
export const LOCAL = "local";

export function senderOf(principal: Principal): string {
  return principal.kind === "local" ? LOCAL : idText(principal.id);
}

/** Waiting = for its turn or its time. Ended = it has its answer; the handler may still be on its way out. */
export type MessagePhase = "waiting" | "running" | "ended";

/** `none`: the store does not know it yet. */
export type Stored = "none" | "free" | "leased" | "gone";

/** The last write: what else it does, asked for when it is sent. */
export interface LastWrite {
  ops(): readonly StateOp[];
  /** Contains a check, which may be refused. */
  readonly checks: boolean;
  /** Of answer and writes, nearly. */
  readonly bytes: number;
  /** It is done; before anybody hears of it. */
  done(): void;
}

/** The row of a message, as those see it who wish something of it. */
export interface MessageRow {
  readonly seq: number;
  readonly stored: Stored;
  /** There is none: it stands for the last write of a message without one. */
  readonly bare: boolean;
  /** To be stored without a lease; `undefined` = as it is. */
  free(o: { readonly readyAtMs: number; readonly parked?: string; readonly counted: boolean } | undefined): void;
  lease(): void;
  /** The time of its message has another end. */
  expire(): void;
  finish(last: LastWrite): void;
}

export interface MessageInit {
  readonly order: number;
  readonly kind: "call" | "tell";
  readonly principal: Principal;
  readonly sender: string;
  readonly route: string;
  readonly requestId: string;
  /** As {@link nameOf} makes it; absent: it is made. */
  readonly name?: string;
  /** Absent: that of the envelope, once somebody asks. */
  readonly hash?: string;
  readonly high: boolean;
  readonly key: string | null;
  readonly policy: Policy;
  readonly bytes: number;
  readonly acceptedAtMs: number;
  /** `Infinity` = never. */
  readonly expiresAtMs: number;
  readonly lane: string;
  /** `seq` of the dead letter that it came from. */
  readonly letter: number | undefined;
}

export class Message {
  readonly order: number;
  readonly kind: "call" | "tell";
  readonly principal: Principal;
  readonly sender: string;
  readonly route: string;
  readonly requestId: string;
  readonly high: boolean;
  readonly key: string | null;
  readonly policy: Policy;
  readonly bytes: number;
  readonly acceptedAtMs: number;
  /** `Infinity` = never. */
  expiresAtMs: number;
  readonly lane: string;
  readonly letter: number | undefined;
  /** Of sender, route and request id. */
  readonly name: string;

  /** Undefined: on the disk only. */
  body: Uint8Array | undefined;
  envelope: Envelope | undefined;
  /** Undefined: it is in this process only. */
  row: MessageRow | undefined;
  /** Whoever waits for it, the latest last. Empty for what an earlier process accepted. */
  arrivals: Arrival[] = [];

  /** Duplicates that wait with it. */
  joins = 0;

  phase: MessagePhase = "waiting";
  /** Failures that count. */
  attempts = 0;
  /** Processes that died while it ran. */
  crashes = 0;
  /** What it ran in died with it: its row stays leased, to be counted when it is opened again. */
  crashed = false;
  /** Completions in a row that found something changed. */
  conflicts = 0;
  /** Runs begun in this process. */
  runs = 0;
  /** It comes from an earlier process. */
  recovered = false;
  /** Waits for this wake-up. */
  parked: string | undefined;
  /** Waits until then; 0 = for its turn only. */
  readyAtMs = 0;
  /** Its handler began then, on the monotonic clock; 0 = it does not run. */
  begunAtMs = 0;
  /** Its handler is stopped then, whatever it does. */
  limitAtMs = Infinity;
  /** A handler that was told to stop still keeps its place, at most until then. */
  leavingUntilMs = 0;
  /** Of its last run, where spans are taken. */
  span: OpenSpan | undefined = undefined;
  /** To be let go at its end. */
  readonly listening: Disposable[] = [];
  /** Its body is one of those that are kept while they wait. */
  resident = false;
  /** It keeps its place until its last write is stored. */
  holds = false;
  /** Its caller has given it up. */
  cancelled = false;
  /** What its caller hears when the last write is done. */
  ending: Settled | undefined;

  /** Its next instant, and its place in the agenda. */
  dueMs = Infinity;
  place = -1;

  #settled: Promise<Settled> | undefined;
  #settle: ((answer: Settled) => void) | undefined;
  #answer: Settled | undefined;
  #accepted = false;
  /** They wait for the verdict of its admission; mostly there are none. */
  #admit: ((admission: Admission) => void)[] | undefined;
  #hash: string | undefined;
  #chains: readonly string[] | undefined;
  #awaited: readonly string[] | undefined;

  constructor(init: MessageInit) {
    this.order = init.order;
    this.kind = init.kind;
    this.principal = init.principal;
    this.sender = init.sender;
    this.route = init.route;
    this.requestId = init.requestId;
    this.#hash = init.hash;
    this.high = init.high;
    this.key = init.key;
    this.policy = init.policy;
    this.bytes = init.bytes;
    this.acceptedAtMs = init.acceptedAtMs;
    this.expiresAtMs = init.expiresAtMs;
    this.lane = init.lane;
    this.letter = init.letter;
    this.name = init.name ?? nameOf(init.sender, init.route, init.requestId);
  }

  /**
   * Names of the chain by which it may enter (spec: node 4.12): the trace only where a legacy hop has lost the chain, for
   * two chains may have one trace.
   */
  get chains(): readonly string[] {
    return this.#chains ??= chainsOf(this.envelope).slice(0, 1);
  }

  /** Names under which its chain may come back while it waits for a call. */
  get awaited(): readonly string[] {
    return this.#awaited ??= chainsOf(this.envelope);
  }

  /** Tells a duplicate from another message under the same name. Most that have no row are never asked. */
  get hash(): string {
    return this.#hash ??= hashOf(this.envelope);
  }

  /** The trace that what its handler asks belongs to. */
  get traceparent(): string | undefined {
    return this.span?.traceparent ?? this.envelope?.traceparent;
  }

  /** It is on the disk. */
  dropBody(): void {
    this.#hash ??= hashOf(this.envelope);
    this.#chains ??= chainsOf(this.envelope).slice(0, 1);
    this.#awaited ??= chainsOf(this.envelope);
    this.body = undefined;
    this.envelope = undefined;
    // Nobody waits for the answer to a tell; what it came with has the same bytes.
    if (this.kind === "tell") this.arrivals = [];
  }

  /** It begins the chain of that name. */
  addChain(name: string): void {
    this.#awaited = [...this.awaited, name];
  }

  /** For scheduling: others of an age. */
  get sinceMs(): number {
    return this.acceptedAtMs;
  }

  /** It was running when two processes died: it runs with nothing beside it. */
  get alone(): boolean {
    return this.crashes >= 2;
  }

  get settled(): Promise<Settled> {
    if (this.#answer !== undefined) return Promise.resolve(this.#answer);
    return this.#settled ??= new Promise((resolve) => (this.#settle = resolve));
  }

  settle(answer: Settled): void {
    this.#answer ??= answer;
    this.#settle?.(answer);
  }

  /** Resolves with the verdict of its admission: for the first that asks it is `accepted`, then `duplicate`. */
  admission(): Promise<Admission> {
    if (this.#accepted) return Promise.resolve({ is: "duplicate", settled: this.settled });
    return new Promise((resolve) => (this.#admit ??= []).push(resolve));
  }

  get accepted(): boolean {
    return this.#accepted;
  }

  /** Accepted with nobody waiting to hear it but who calls this. */
  acceptNow(queueLen: number): Admission {
    this.#accepted = true;
    return { is: "accepted", queue_len: queueLen, settled: this.settled };
  }

  accept(queueLen: number): void {
    const waiting = this.#admit;
    this.#accepted = true;
    this.#admit = undefined;
    if (waiting === undefined) return;
    const [first, ...others] = waiting;
    first?.({ is: "accepted", queue_len: queueLen, settled: this.settled });
    for (const other of others) other({ is: "duplicate", settled: this.settled });
  }

  /** It is none after all. */
  decline(admission: Admission): void {
    for (const resolve of this.#admit?.splice(0) ?? []) resolve(admission);
  }
}

/** Of the payload; the route is part of the name. */
export function hashOf(envelope: Envelope | undefined): string {
  return hash("sha256", envelope?.payload ?? "", "hex");
}

/** Texts with a mark between them that none contains: a route or an id with one would only be joined too seldom. */
export function nameOf(sender: string, route: string, requestId: string): string {
  return `${sender}\n${route}\n${requestId}`;
}

/** Its chain, then its trace. */
function chainsOf(envelope: Envelope | undefined): readonly string[] {
  const { chain_id, traceparent } = envelope ?? {};
  const trace = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  return [
    ...chain_id === undefined ? [] : [`c:${Buffer.from(chain_id).toString("hex")}`],
    ...trace === undefined ? [] : [`t:${trace.trace_id}`],
  ];
}
