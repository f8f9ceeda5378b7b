/**
 * Empties the outbox (spec: node 4.13, 4.20).
 *
 * takes parcels that a commit has put there; gives tells to their receivers until they are accepted, and stored replies
 * to callers that are back; promises the order of the parcels for one receiver, and that a parcel leaves the outbox only
 * when it was taken or its time was over; refuses nothing; never polls: one timer for the next parcel that is due.
 */
import {
  isFault, nodeError, type Clock, type Fault, type Link, type Log, type NewLetter, type NodeId, type Parcel, type Speaker,
  type StateOp, type StateStore,
} from "@atoll-run/core";
import { readEnvelope, writeEnvelope, type Envelope } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { Peers } from "../transport/peers.ts";
import type { IdReader } from "../identity/id-text.ts";
import type { LinkBook } from "./link-book.ts";
import { undeliverable } from "./undeliverable.ts";

export interface PostmanParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly store: StateStore;
  readonly scope: string;
  /** As `attach` gave it. */
  readonly epoch: () => number;
  /** Time of the store's owner, milliseconds. */
  readonly nowMs: () => number;
  /** A parcel that nobody took has become a dead letter. */
  readonly buried?: (letter: NewLetter) => void;
  /** Asks as this node, not on behalf of a message. */
  readonly speaker: (signal: AbortSignal) => Speaker;
  readonly peers: () => Peers;
  readonly idReader: IdReader;
  readonly book: LinkBook;
}

export interface PostmanStats {
  parcels_sent: number;
  parcels_retried: number;
  parcels_undeliverable: number;
}

const PAGE = 64;
/** Parcels that are looked at for their receivers. */
const DUE_MAX = 512;
/** After a failure of the store. */
const STORE_WAIT_MS = 1_000;

interface Posted {
  readonly ops: readonly StateOp[];
  /** It stays, until then. */
  readonly waitsUntilMs?: number;
}

export class Postman implements AsyncDisposable {
  readonly #parts: PostmanParts;
  readonly #limits: LimitsOf<"gate">;
  readonly #closing = new AbortController();
  /** Receivers that are served now. */
  readonly #rounds = new Map<string, Promise<void>>();
  #looking: Promise<void> | undefined;
  #again = false;
  /** Somebody was to be served and had to be passed over: a round that ends looks again. */
  #passed = false;
  #started = false;
  #timer: Disposable | undefined;
  readonly stats: PostmanStats = { parcels_sent: 0, parcels_retried: 0, parcels_undeliverable: 0 };

  constructor(parts: PostmanParts, limits: LimitsOf<"gate">) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** Begins with what an earlier process left. */
  start(): void {
    this.#started = true;
    this.wake();
  }

  /** A commit has put parcels into the outbox. */
  wake(): void {
    if (!this.#started || this.#closing.signal.aborted) return;
    if (this.#looking !== undefined) {
      this.#again = true;
      return;
    }
    this.#passed = false;
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.wake();
    });
  }

  /** That peer is back: what waits for it goes now. */
  back(peer: string): void {
    if (this.#started) this.#serve(peer, true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(nodeError("node.draining", "the node is closing"));
    this.#timer?.[Symbol.dispose]();
    await this.#looking;
    await Promise.all(this.#rounds.values());
  }

  async #look(): Promise<void> {
    const { store, scope } = this.#parts;
    const nowMs = this.#parts.nowMs();
    try {
      const due = await store.outbox(scope, nowMs, DUE_MAX);
      for (const to of new Set(due.map((parcel) => parcel.to))) this.#serve(to, false);
      const { send_at_ms } = await store.wakes(scope, nowMs);
      if (send_at_ms !== null) this.#arm(Math.max(0, send_at_ms - nowMs));
    } catch (error) {
      this.#storeFailed(error);
    }
  }

  #arm(ms: number): void {
    this.#timer?.[Symbol.dispose]();
    if (this.#closing.signal.aborted) return;
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#timer = undefined;
      this.wake();
    });
  }

  #storeFailed(error: unknown): void {
    this.#parts.log.write({ level: "warn", target: "gate", msg: "the outbox cannot be read or written", fields: {
      error: String(error),
    } });
    this.#arm(STORE_WAIT_MS);
  }

  /** One round at a time for a receiver, so that its parcels keep their order. */
  #serve(to: string, isBack: boolean): void {
    if (this.#closing.signal.aborted) return;
    // A round that runs has made the link itself, or will use it.
    if (this.#rounds.size >= this.#limits.roundsMax || this.#rounds.has(to)) {
      this.#passed = true;
      return;
    }
    const round = this.#round(to, isBack).catch((error: unknown) => {
      this.#storeFailed(error);
      return true;
    }).then((found) => {
      this.#rounds.delete(to);
      // Who is back has mostly nothing here.
      if (found || this.#passed) this.wake();
    });
    this.#rounds.set(to, round);
  }

  /**
   * The parcels of one receiver in their order, until a tell must wait: those behind it are put off as long, so that
   * what is due is always something that can go. Gives whether there were any.
   */
  async #round(to: string, isBack: boolean): Promise<boolean> {
    const { store, scope } = this.#parts;
    let holdMs: number | undefined;
    let after = 0;
    for (;;) {
      const page = await store.outboxTo(scope, to, { after, limit: PAGE });
      const ops: StateOp[] = [];
      for (const parcel of page) {
        after = parcel.seq;
        if (this.#closing.signal.aborted) break;
        const early = parcel.send_at_ms > this.#parts.nowMs() && !isBack;
        const isTell = parcel.kind === "tell";
        if (early) {
          if (isTell) holdMs ??= parcel.send_at_ms;
        } else if (isTell && holdMs !== undefined) ops.push(putOff(parcel, holdMs));
        else {
          const done = await this.#post(parcel);
          ops.push(...done.ops);
          // A letter has the bytes of its parcel: a page full of them is no batch.
          if (done.ops.length > 1) await this.#commit(ops.splice(0));
          if (isTell) holdMs ??= done.waitsUntilMs;
        }
      }
      // Should this be lost, a parcel goes twice and is known to its receiver.
      if (ops.length > 0) await this.#commit(ops);
      if (page.length === 0 || this.#closing.signal.aborted) return after > 0;
    }
  }

  async #post(parcel: Parcel): Promise<Posted> {
    const nowMs = this.#parts.nowMs();
    const read = readEnvelope(parcel.body);
    const over = parcel.expires_at_ms <= nowMs;
    if (!read.ok) return this.#bury(parcel, read.fault);
    if (parcel.kind === "reply") {
      // It goes when its caller is back; the timer only ends it.
      return over || await this.#reply(parcel.to, read.value)
        ? this.#done(parcel) : this.#later(parcel, parcel.expires_at_ms);
    }
    if (over) return this.#bury(parcel, expired(parcel));
    try {
      await this.#tell(parcel, read.value, nowMs);
      return this.#done(parcel);
    } catch (error) {
      if (this.#closing.signal.aborted) return { ops: [] };
      const fault = isFault(error) ? error : nodeError("node.internal", String(error), { cause: error });
      // A type or a name that nobody has yet may come.
      if (fault.retry === "never" && fault.code !== "node.not_found") return this.#bury(parcel, fault);
      return this.#later(parcel, nowMs + Math.max(this.#backoff(parcel.attempts), fault.retry_after_ms ?? 0));
    }
  }

  async #tell(parcel: Parcel, envelope: Envelope, nowMs: number): Promise<void> {
    const { content_type, traceparent, tracestate } = envelope;
    await this.#parts.speaker(this.#closing.signal).tell({
      to: parcel.to, route: envelope.route_key, payload: envelope.payload ?? new Uint8Array(), retry: "none",
      requestId: envelope.request_id, metadata: envelope.metadata,
      deadlineMs: Math.max(1, Math.min(this.#limits.tellMs, Math.ceil(parcel.expires_at_ms - nowMs))),
      ...content_type === undefined ? {} : { content_type }, ...traceparent === undefined ? {} : { traceparent },
      ...tracestate === undefined ? {} : { tracestate },
    });
  }

  /** False when the caller has no link now. */
  async #reply(to: string, envelope: Envelope): Promise<boolean> {
    const { idReader, peers, book } = this.#parts;
    const id: NodeId | undefined = idReader.read(to);
    // One that a legacy caller has dialled takes answers too, if nothing else.
    const link: Link | undefined = id === undefined ? undefined : peers().current(id) ?? peers().links(to).at(-1);
    if (id === undefined || link === undefined) return false;
    try {
      const make = (taken: Link): Uint8Array => writeEnvelope(envelope, { extensions: book.of(taken).rpc1 });
      await peers().send(id, "rpc_reliable", make, { deadlineMs: this.#limits.replyMsMax, via: link });
      return true;
    } catch {
      return false;
    }
  }

  #done(parcel: Parcel): Posted {
    this.stats.parcels_sent++;
    return { ops: [{ op: "sent", seq: parcel.seq }] };
  }

  #later(parcel: Parcel, atMs: number): Posted {
    this.stats.parcels_retried++;
    return { ops: [putOff(parcel, atMs)], waitsUntilMs: Math.min(atMs, parcel.expires_at_ms) };
  }

  #bury(parcel: Parcel, fault: Fault): Posted {
    this.stats.parcels_undeliverable++;
    const ops: StateOp[] = [{ op: "sent", seq: parcel.seq }];
    if (parcel.kind === "tell") ops.unshift({ op: "bury", letter: undeliverable(parcel, fault, this.#parts.nowMs()) });
    return { ops };
  }

  /** Throws when the store does. A refusal means that the parcel is gone, or that another process owns the scope. */
  async #commit(ops: readonly StateOp[]): Promise<void> {
    const { store, scope, epoch, log } = this.#parts;
    const done = await store.commit({ scope, epoch: epoch(), at_ms: this.#parts.nowMs(), ops });
    if (done.ok) {
      for (const op of ops) if (op.op === "bury") this.#parts.buried?.(op.letter);
    } else {
      log.write({ level: "warn", target: "gate", msg: "the outbox has changed", fields: { refusal: done.refusal } });
    }
  }

  /** 1 s × 2 ≤ 30 s ± 20 %. */
  #backoff(attempts: number): number {
    const { postFirstMs, postMsMax } = this.#limits;
    const ms = Math.min(postMsMax, postFirstMs * 2 ** Math.min(attempts, 16));
    return Math.round(ms * (0.8 + 0.4 * this.#parts.random()));
  }
}

function putOff(parcel: Parcel, atMs: number): StateOp {
  return { op: "resend", seq: parcel.seq, send_at_ms: Math.min(atMs, parcel.expires_at_ms) };
}

function expired(parcel: Parcel): Fault {
  return nodeError("node.unavailable", `${parcel.to} did not take it in time`, { facts: { attempts: parcel.attempts } });
}
