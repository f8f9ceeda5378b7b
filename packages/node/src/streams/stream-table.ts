/**
 * All streams of a node (spec: node 6.9 to 6.11; wire 3.1 StreamControl).
 *
 * takes chunks of verified links and wishes to open; gives streams to the workload; promises that a stream belongs to
 * its sender and its id, that what was acknowledged is neither lost nor repeated over a new link, and that silence, a
 * lost peer and a deadline end it; refuses by the rules and over its caps; never gives a chunk to another's stream.
 */
import { isFault, nodeError, type Fault, type Lane, type Link } from "@atoll-run/core";
import { readChunk, toWireError, type Chunk, type StreamOpen } from "@atoll-run/core/internal";
import type { PeersEvents } from "../transport/peers.ts";
import { CONTROL_LANE, controlChunk, linkCarrier, selfCarrier, type Carrier } from "./carrier.ts";
import { PlainStreams } from "./plain-streams.ts";
import { ReadingStream } from "./reading-stream.ts";
import { PeerStreams, type StreamScope, type StreamStats, type StreamTableParts } from "./stream-parts.ts";
import { StreamWatch } from "./stream-watch.ts";
import type { WritingStream } from "./writing-stream.ts";

export class StreamTable implements PeersEvents {
  readonly #parts: StreamTableParts;
  readonly #peers = new Map<string, PeerStreams>();
  readonly #carriers = new WeakMap<Link, Carrier>();
  /** Last sequences of streams that were read to their end, should the last word be lost; the oldest first. */
  readonly #finished = new Map<string, number>();
  readonly #idle = new Set<() => void>();
  readonly #watch: StreamWatch;
  readonly plain: PlainStreams;
  readonly toSelf: Carrier;
  readonly #fromSelf: Carrier;
  readonly stats: StreamStats = { streams_open: 0, streams_refused: 0, streams_foreign: 0, stream_dropped: 0 };
  /** Peers open nothing any more; and nobody does. */
  #shut = false;
  #draining = false;

  constructor(parts: StreamTableParts) {
    this.#parts = parts;
    this.#watch = new StreamWatch(parts, () => [...this.#peers.values()]);
    this.plain = new PlainStreams(parts);
    this.toSelf = selfCarrier((chunk, lane) => this.#toReader(this.#fromSelf, chunk, lane, undefined));
    this.#fromSelf = selfCarrier((chunk) => this.#toWriter("", chunk));
  }

  frame(link: Link, lane: Lane, body: Uint8Array): void {
    const read = readChunk(body);
    if (!read.ok) return this.#parts.unreadable(link, lane, body, read.fault);
    const carrier = this.carrierOf(link);
    const { control } = read.value;
    const isBack = control !== undefined && ("credit" in control || "ack" in control || "reset" in control);
    if (isBack && this.#toWriter(carrier.peer, read.value)) return;
    if (control === undefined || !("credit" in control || "ack" in control)) this.#toReader(carrier, read.value, lane, link);
  }

  up(link: Link): void {
    this.#watch.back(this.carrierOf(link).peer);
  }

  down(link: Link, why: { readonly reason: string }): void {
    const { peer } = this.carrierOf(link);
    const own = this.#peers.get(peer);
    const nowMs = this.#parts.clock.monotonic();
    for (const stream of [...own?.writing.values() ?? [], ...own?.reading.values() ?? []]) {
      if (stream.carrier.link !== link) continue;
      if (stream.carrier.aware && stream.mode === "reliable") {
        if ("lost" in stream) stream.lost(nowMs);
        else stream.lostAtMs = nowMs;
        if ("write" in stream) this.#watch.resume(stream, link.peer.id, (taken) => this.carrierOf(taken));
        this.#watch.consider(stream);
      } else this.#uncertain(stream, why.reason);
    }
    this.plain.down(peer);
  }

  carrierOf(link: Link): Carrier {
    let carrier = this.#carriers.get(link);
    if (carrier === undefined) {
      const { peers, limits } = this.#parts;
      carrier = linkCarrier(link, { peers, chunkMsMax: limits.chunkMsMax });
      this.#carriers.set(link, carrier);
    }
    return carrier;
  }

  /** Throws `node.overloaded`, or `node.draining`. */
  reserve(peer: string): PeerStreams {
    if (this.#draining) throw closing();
    let own = this.#peers.get(peer);
    if ((own?.size ?? 0) >= this.#parts.limits.perPeerMax) {
      throw nodeError("node.overloaded", `${peer === "" ? "this node" : peer} has too many open streams`, {
        facts: { limit: this.#parts.limits.perPeerMax }, retry_after_ms: 1_000,
      });
    }
    if (own === undefined) this.#peers.set(peer, own = new PeerStreams());
    return own;
  }

  /** It is there from now on. */
  opened(peer: string, stream: WritingStream | ReadingStream): void {
    const own = this.reserve(peer);
    if ("write" in stream) own.writing.set(stream.id, stream);
    else own.reading.set(stream.id, stream);
    this.stats.streams_open++;
    this.#watch.consider(stream);
  }

  closed(peer: string, stream: WritingStream | ReadingStream): void {
    const own = this.#peers.get(peer);
    const gone = "write" in stream ? own?.writing.delete(stream.id) : own?.reading.delete(stream.id);
    if (gone !== true) return;
    if (own?.size === 0) this.#peers.delete(peer);
    if (--this.stats.streams_open > 0) return;
    this.#watch.none();
    for (const done of [...this.#idle]) done();
  }

  /** From now on peers are refused; what this node opens goes on. */
  shut(): void {
    this.#shut = true;
  }

  /** No stream is opened any more; those that are not over when the signal aborts are reset. Gives how many were. */
  async drain(signal: AbortSignal): Promise<number> {
    this.#shut = this.#draining = true;
    if (this.stats.streams_open > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#idle.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.#idle.add(done);
        signal.addEventListener("abort", done);
      });
    }
    return this.close();
  }

  /** Resets all; gives how many there were. */
  close(): number {
    this.#shut = this.#draining = true;
    const all = [...this.#peers.values()].flatMap((own) => [...own.writing.values(), ...own.reading.values()]);
    for (const stream of all) stream.fail(closing(), true);
    this.plain.close();
    this.#watch.close();
    return all.length;
  }

  #toWriter(peer: string, { stream_id, control }: Chunk): boolean {
    const stream = this.#peers.get(peer)?.writing.get(stream_id);
    if (stream === undefined || control === undefined) return false;
    if ("credit" in control) stream.credit(control.credit.bytes, control.credit.chunks);
    else if ("ack" in control) stream.ack(control.ack.through);
    else if ("reset" in control) stream.wasReset(control);
    return true;
  }

  #toReader(carrier: Carrier, chunk: Chunk, lane: Lane, link: Link | undefined): void {
    const { control, stream_id } = chunk;
    const stream = this.#peers.get(carrier.peer)?.reading.get(stream_id);
    if (control !== undefined && "open" in control) return this.#open(carrier, stream_id, control.open, link);
    if (stream === undefined) {
      if (!carrier.aware && link !== undefined) this.#plainChunk(carrier, chunk, lane, link);
      else if (control === undefined || "end" in control) this.#foreign(carrier, stream_id);
    } else if (control === undefined) stream.push(Number(chunk.sequence), chunk.payload);
    else if ("end" in control) stream.end(Number(control.end.final_sequence));
    else if ("reset" in control) stream.wasReset(control);
  }

  #open(carrier: Carrier, id: string, open: StreamOpen, link: Link | undefined): void {
    const { peer } = carrier;
    const known = this.#peers.get(peer)?.reading.get(id);
    if (known !== undefined) return known.resumeOn(carrier);
    if (open.resume_from !== undefined) {
      const final = this.#finished.get(`${peer} ${id}`);
      if (final === undefined) return this.#foreign(carrier, id);
      carrier.send(CONTROL_LANE, controlChunk(id, { ack: { through: BigInt(final) } })).catch(() => undefined);
      return;
    }
    const ready = this.#parts.ready();
    if (ready === true) return this.#enter(carrier, id, open, link);
    ready.then((isReady) => {
      if (isReady) this.#enter(carrier, id, open, link);
      else this.#refuse(carrier, id, nodeError("node.connection_not_ready", "the node is still starting", {
        retry_after_ms: 1_000,
      }));
    });
  }

  #enter(carrier: Carrier, id: string, open: StreamOpen, link: Link | undefined): void {
    const { name, mode, headers, content_type, traceparent, tracestate } = open;
    if (link !== undefined && !this.#parts.allows(link, name)) {
      return this.#refuse(carrier, id, nodeError("node.permission_denied", `${carrier.peer} may not open ${name}`));
    }
    try {
      if (this.#shut) throw closing();
      this.reserve(carrier.peer);
    } catch (error) {
      return this.#refuse(carrier, id, error as Fault);
    }
    const stream = this.#reading({ carrier, id, name, mode, headers, content_type });
    const leftMs = open.remaining_ms ?? Infinity;
    stream.deadlineAtMs = this.#parts.clock.monotonic() + leftMs;
    this.opened(carrier.peer, stream);
    const began = this.#begin(stream, {
      leftMs, signal: stream.signal, ...traceparent === undefined ? {} : { traceparent },
      ...tracestate === undefined ? {} : { tracestate },
    });
    // Whether somebody reads it may turn out a moment later: the first question for an item accepts it.
    if (began && !stream.accepted) this.#parts.clock.after(0, () => stream.accept());
    if (!began) stream.fail(nodeError("node.unknown_route", `there is no stream ${name}`), true);
  }

  #reading(o: Pick<StreamOpen, "name" | "mode" | "headers"> & {
    readonly carrier: Carrier; readonly id: string; readonly content_type: string | undefined;
  }): ReadingStream {
    const { clock, limits } = this.#parts;
    return new ReadingStream({
      ...o, limits, nowMs: () => clock.monotonic(), over: (stream, dropped) => {
        this.stats.stream_dropped += dropped;
        this.closed(o.carrier.peer, stream);
        if (stream.finished !== undefined) this.#remember(`${o.carrier.peer} ${o.id}`, stream.finished);
      },
    });
  }

  /** False when nobody reads streams of that name. */
  #begin(stream: ReadingStream, scope: StreamScope): boolean {
    const reading = this.#parts.read(stream, scope);
    if (reading === undefined) return false;
    reading.then(() => {
      if (!stream.isOver) void stream[Symbol.asyncIterator]().return?.();
    }, (error: unknown) => {
      const fault = isFault(error) ? error : nodeError("node.internal", "the reader of the stream has failed", { cause: error });
      if (!stream.isOver) stream.fail(fault, true);
      this.#parts.log.write({ level: "debug", target: "streams", msg: "a reader ended with an error", fields: {
        stream: stream.name, error: String(error),
      } });
    });
    return true;
  }

  /** A chunk of a peer that opens nothing: its first chunk does. */
  #plainChunk(carrier: Carrier, chunk: Chunk, lane: Lane, link: Link): void {
    const { stream_id } = chunk;
    if (!this.#parts.allows(link, stream_id)) {
      this.stats.streams_refused++;
      return;
    }
    if (this.plain.take(carrier, chunk)) return;
    const mode = lane === "stream_latency_first" ? "latency_first" : "reliable";
    const stream = this.#reading({ carrier, id: stream_id, name: stream_id, mode, headers: [], content_type: undefined });
    try {
      if (this.#shut) throw closing();
      this.opened(carrier.peer, stream);
    } catch {
      this.stats.streams_refused++;
      return;
    }
    if (this.#begin(stream, { leftMs: Infinity, signal: stream.signal })) {
      stream.push(Number(chunk.sequence), chunk.payload);
      return;
    }
    this.closed(carrier.peer, stream);
    this.plain.keep(carrier, chunk);
  }

  #foreign(carrier: Carrier, id: string): void {
    this.stats.streams_foreign++;
    this.#refuse(carrier, id, nodeError("node.unavailable", "there is no such stream here", { retry: "never" }));
  }

  #refuse(carrier: Carrier, id: string, fault: Fault): void {
    this.stats.streams_refused++;
    if (!carrier.aware) return;
    carrier.send(CONTROL_LANE, controlChunk(id, { reset: { error: toWireError(fault) } })).catch(() => undefined);
  }

  #uncertain(stream: WritingStream | ReadingStream, reason: string): void {
    const fault = nodeError("node.unavailable", `the link of the stream ${stream.name} was lost: ${reason}`, {
      uncertain: true,
    });
    this.#parts.report("error", {
      error: fault, category: "stream_uncertain", context: stream.name, peer: stream.carrier.peer,
    });
    stream.fail(fault, false);
  }

  #remember(key: string, final: number): void {
    this.#finished.set(key, final);
    if (this.#finished.size <= this.#parts.limits.finishedMax) return;
    const [oldest] = this.#finished.keys();
    if (oldest !== undefined) this.#finished.delete(oldest);
  }
}

function closing(): Fault {
  return nodeError("node.draining", "the node is closing", { retry_after_ms: 1_000 });
}
