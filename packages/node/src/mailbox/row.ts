/**
 * The row of one message: what the store has, what it should have, and the writes that lie between (spec: node 4.4 to
 * 4.6, 4.13). Whoever changes the wish says only what is wanted; a row is in at most one commit at a time, and what was
 * wished meanwhile is the next.
 */
import type { Fault, NewMail, Refusal, StateOp } from "@atoll-run/core";
import type { Commits, Unit } from "./commits.ts";
import type { LastWrite, Message, MessageRow, Stored } from "./message.ts";

export interface RowEvents {
  /** The row is stored as `stored` says; the first time the message is accepted by it. */
  stored(message: Message, stored: Stored): void;
  /** The last write, whole; the message is over. */
  gone(message: Message): void;
  /** The request is known to the store, or what a handler had read has changed. */
  refused(message: Message, refusal: Refusal): void;
  /** What a handler gave is more than can be written: the message needs another last write. */
  tooLarge(message: Message, fault: Fault): void;
  /** Not accepted: the store failed before it knew the message. */
  lost(message: Message, fault: Fault): void;
}

export interface RowParts {
  readonly message: Message;
  readonly commits: Commits;
  readonly events: RowEvents;
  /** End of a lease that begins now, milliseconds. */
  leaseUntil(): number;
  /** There is no row: only the last write is done. */
  readonly bare?: boolean;
  /** Done with the first write. */
  readonly also?: readonly StateOp[];
}

const NOT_PARKED = null;

export class Row implements Unit, MessageRow {
  readonly #parts: RowParts;
  #stored: Stored = "none";
  #wanted: Exclude<Stored, "none"> = "free";
  seq = 0;
  #fence = 0;
  /** It may be known to the store already. */
  risky: boolean;
  #queued = false;
  #flying = false;
  /** What is on its way makes it this. */
  #next: Stored = "none";
  #releases = 0;
  /** Failures to be counted, and those that are on their way. */
  #counted = 0;
  #counting = 0;
  #readyAtMs = 0;
  #parked: string | null = NOT_PARKED;
  /** A free row is not stored as it should be. */
  #moved = false;
  /** The end of its time is not stored as it should be. */
  #expires = false;
  /** It is on its way. */
  #expiring = false;
  #finish: LastWrite | undefined;
  #uncertain = false;

  constructor(parts: RowParts, risky: boolean) {
    this.#parts = parts;
    this.risky = risky;
  }

  /** The row of an earlier process. */
  static stored(parts: RowParts, { seq, fence }: { readonly seq: number; readonly fence: number }): Row {
    const row = new Row(parts, false);
    row.#stored = "free";
    row.seq = seq;
    row.#fence = fence;
    return row;
  }

  get bare(): boolean {
    return this.#parts.bare === true;
  }

  get stored(): Stored {
    return this.#stored;
  }

  /** To be stored without a lease. */
  free(o: { readonly readyAtMs: number; readonly parked?: string; readonly counted: boolean } | undefined): void {
    this.#wanted = "free";
    if (o !== undefined) {
      this.#readyAtMs = o.readyAtMs;
      this.#parked = o.parked ?? NOT_PARKED;
      this.#counted += o.counted ? 1 : 0;
      this.#moved = true;
    }
    this.#ask();
  }

  lease(): void {
    this.#wanted = "leased";
    this.#moved = false;
    this.#ask();
  }

  expire(): void {
    this.#expires = true;
    this.#ask();
  }

  finish(finish: LastWrite): void {
    this.#wanted = "gone";
    this.#finish = finish;
    this.#ask();
  }

  #ask(): void {
    if (this.#queued || this.#flying) return;
    this.#queued = true;
    this.#parts.commits.add(this);
  }

  get alone(): boolean {
    return this.risky && this.#stored === "none" || this.#next === "gone" && this.#finish?.checks === true;
  }

  get urgent(): boolean {
    const { high, key } = this.#parts.message;
    return high && key === null;
  }

  get bytes(): number {
    const begins = this.#stored === "none" && this.#next !== "gone" ? this.#parts.message.bytes : 0;
    return begins + (this.#stored === "none" ? this.#alsoBytes : 0) + (this.#next === "gone" ? this.#finish?.bytes ?? 0 : 0);
  }

  prepare(): readonly StateOp[] {
    this.#queued = false;
    this.#flying = true;
    if (this.#stored === "none") return this.#begin();
    const ops = this.#countFailures();
    const { seq } = this;
    const fence = this.#fence + this.#releases;
    if (this.#wanted === "gone") {
      this.#next = "gone";
      return [...ops, { op: "settle", seq, fence }, ...this.#finish?.ops() ?? []];
    }
    if (this.#wanted === "leased") {
      this.#next = "leased";
      if (this.#stored === "leased" && ops.length === 0 && !this.#expires) return ops;
      return [...ops, { op: "lease", seq, fence, until_at_ms: this.#parts.leaseUntil(), ...this.#end() }];
    }
    this.#next = "free";
    if (ops.length > 0) return ops;
    return this.#stored === "leased" || this.#moved || this.#expires ? [this.#release(false)] : ops;
  }

  /** The first write: if it is over already, that is all there is to say of it. */
  #begin(): readonly StateOp[] {
    if (this.#wanted === "gone" && (this.bare || this.#finish?.checks !== true)) {
      this.#next = "gone";
      return [...this.#parts.also ?? [], ...this.#finish?.ops() ?? []];
    }
    // A check may be refused, and then what came later under its key would be stored before it. A failure can only be counted on a row that is there; a wait of a new row is told with it.
    const leased = this.#wanted !== "free" || this.#counted > 0;
    this.#expires = false;
    this.#next = leased ? "leased" : "free";
    // A new row cannot be parked with its first write.
    if (!leased) this.#moved = this.#parked !== NOT_PARKED;
    return [{
      op: "accept", mail: toMail(this.#parts.message, this.#readyAtMs),
      lease_until_at_ms: leased ? this.#parts.leaseUntil() : null,
    }, ...this.#parts.also ?? []];
  }

  get #alsoBytes(): number {
    return this.#parts.also?.reduce((sum, op) => sum + (op.op === "append" ? op.body.length : 0), 0) ?? 0;
  }

  #countFailures(): StateOp[] {
    if (this.#wanted === "gone") return [];
    const ops = Array.from({ length: this.#counted }, () => this.#release(true));
    this.#counting = this.#counted;
    this.#counted = 0;
    return ops;
  }

  #release(counted: boolean): StateOp {
    const fence = this.#fence + this.#releases++;
    this.#moved = false;
    return {
      op: "release", seq: this.seq, fence, ready_at_ms: this.#readyAtMs, parked: this.#parked, counted, ...this.#end(),
    };
  }

  #end(): { readonly expires_at_ms?: number | null } {
    if (!this.#expires) return {};
    this.#expires = false;
    this.#expiring = true;
    return { expires_at_ms: endOf(this.#parts.message) };
  }

  done(values: readonly number[]): void {
    const before = this.#stored;
    this.#flying = this.#expiring = false;
    this.#stored = this.#next;
    if (before === "none") {
      this.seq = values[0] ?? 0;
      this.#fence = this.#stored === "leased" ? 1 : 0;
    } else if (this.#stored !== "gone") {
      this.#fence += this.#releases + (this.#stored === "leased" && values.length > this.#releases ? 1 : 0);
    }
    this.#releases = 0;
    this.#counting = 0;
    const { message, events } = this.#parts;
    if (this.#stored === "gone") return this.#over();
    if (this.#stored !== this.#wanted || this.#counted > 0 || this.#moved || this.#expires) this.#ask();
    if (before !== this.#stored) events.stored(message, this.#stored);
  }

  refused(refusal: Refusal): void {
    this.#land();
    // What failed without saying whether it was done was done.
    if (this.#uncertain && refusal.why !== "moved" && this.#next === "gone") {
      this.#stored = "gone";
      return this.#over();
    }
    this.#parts.events.refused(this.#parts.message, refusal);
  }

  failed(fault: Fault | undefined): void {
    this.#land();
    this.#moved ||= this.#wanted === "free";
    if (fault?.uncertain === true) this.#uncertain = true;
    const large = fault?.code === "state.too_large" && this.#next === "gone";
    if (large) this.#parts.events.tooLarge(this.#parts.message, fault);
    else if (fault === undefined || this.#stored !== "none") this.#ask();
    else this.#parts.events.lost(this.#parts.message, fault);
  }

  #over(): void {
    this.#finish?.done();
    this.#parts.events.gone(this.#parts.message);
  }

  /** Nothing was done. */
  #land(): void {
    this.#flying = false;
    this.#releases = 0;
    this.#counted += this.#counting;
    this.#counting = 0;
    this.#expires ||= this.#expiring;
    this.#expiring = false;
  }
}

const ABOUT = {
  call: { key: '{"kind":"call","proof":"key"}', bearer: '{"kind":"call","proof":"bearer"}', local: '{"kind":"call"}' },
  tell: { key: '{"kind":"tell","proof":"key"}', bearer: '{"kind":"tell","proof":"bearer"}', local: '{"kind":"tell"}' },
} as const;

/** What a row says of its message beside its columns. */
export interface RowAbout {
  readonly kind: "call" | "tell";
  /** Absent: this process itself. */
  readonly proof?: "key" | "bearer";
  /** The dead letter that it came from. */
  readonly letter?: number;
}

export function aboutOf({ kind, principal, letter }: Pick<Message, "kind" | "principal" | "letter">): string {
  const proof = principal.kind === "peer" ? principal.proof : undefined;
  if (letter === undefined) return ABOUT[kind][proof ?? "local"];
  return JSON.stringify({ kind, ...proof === undefined ? {} : { proof }, letter } satisfies RowAbout);
}

function toMail(message: Message, readyAtMs: number): NewMail {
  const { sender, route, requestId, hash, high, key, acceptedAtMs } = message;
  return {
    sender, route, request_id: requestId, hash, priority: high ? "high" : "normal", key,
    body: message.body ?? new Uint8Array(0), about: aboutOf(message), accepted_at_ms: acceptedAtMs,
    expires_at_ms: endOf(message), ready_at_ms: readyAtMs,
  };
}

function endOf({ expiresAtMs }: Message): number | null {
  return expiresAtMs === Infinity ? null : expiresAtMs;
}
