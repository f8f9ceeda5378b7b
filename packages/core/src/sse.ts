/**
 * Decoder of server-sent events (WHATWG), a pure machine.
 *
 * takes bytes in any cuts; gives whole events; promises the same events wherever the bytes are cut; refuses
 * an event of more than its limit and is dead from then on; never looks into the data (`[DONE]` is the
 * caller's word). One deviation: an event that is pending at a clean end is given by `end`, since model
 * gateways omit the last blank line.
 */
import { tooLarge } from "./core-fault.ts";
import type { Fault } from "./fault.ts";
import { assert } from "./must.ts";

export interface SseEvent {
  /** The `data:` lines of the event, joined by LF. */
  readonly data: string;
  /** Type, when the event names one; without it the standard says `message`. */
  readonly event?: string;
  /** Last id that was sent, by this event or an earlier one. */
  readonly id?: string;
  /** Milliseconds before a new connection, when it was sent with or just before this event. */
  readonly retry?: number;
}

const LF = 0x0a;
const CR = 0x0d;

export class SseDecoder {
  readonly #limit: number;
  readonly #text = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The line that is not complete yet: the first `#partBytes` of `#part`. */
  #part = new Uint8Array(256);
  #partBytes = 0;
  #heldBytes = 0;
  #data: string[] = [];
  #event = "";
  #id: string | undefined;
  #retry: number | undefined;
  #firstLine = true;
  #afterCr = false;
  #ended = false;
  #fault: Fault | undefined;

  /** `eventBytesMax`: bytes of the lines of one event, their ends not counted. */
  constructor(eventBytesMax: number) {
    assert(eventBytesMax >= 1, "an event needs room");
    this.#limit = eventBytesMax;
  }

  /** Bytes that wait for the rest of their event. */
  get pending(): number {
    return this.#heldBytes + this.#partBytes;
  }

  /**
   * The events that these bytes complete. Throws `codec.too_large`; events that were whole before it are
   * given first, the fault then comes with the next call.
   */
  push(chunk: Uint8Array): SseEvent[] {
    assert(!this.#ended, "bytes after the end");
    const events: SseEvent[] = [];
    let start = 0;
    for (let at = 0; at < chunk.length && this.#fault === undefined; at++) {
      const c = chunk[at];
      if (c !== LF && c !== CR) continue;
      if (c === LF && this.#afterCr && at === start && this.#partBytes === 0) {
        this.#afterCr = false;
        start = at + 1;
        continue;
      }
      this.#line(chunk.subarray(start, at), events);
      this.#afterCr = c === CR;
      start = at + 1;
    }
    if (start < chunk.length && this.#fault === undefined) this.#keep(chunk.subarray(start));
    return this.#give(events);
  }

  /** What is still pending, at a clean end. Throws as `push`; nothing can come after it. */
  end(): SseEvent[] {
    const events: SseEvent[] = [];
    if (!this.#ended && this.#fault === undefined) {
      if (this.#partBytes > 0) this.#line(new Uint8Array(), events);
      this.#dispatch(events);
    }
    this.#ended = true;
    if (this.#fault !== undefined) throw this.#fault;
    return events;
  }

  #give(events: SseEvent[]): SseEvent[] {
    if (this.#fault !== undefined && events.length === 0) throw this.#fault;
    return events;
  }

  /** Keeps bytes of a line that is not complete; false when they are too many. */
  #keep(bytes: Uint8Array): boolean {
    if (!this.#check(bytes.length)) return false;
    const size = this.#partBytes + bytes.length;
    if (size > this.#part.length) {
      const wider = new Uint8Array(Math.max(size, Math.min(this.#part.length * 2, this.#limit)));
      wider.set(this.#part.subarray(0, this.#partBytes));
      this.#part = wider;
    }
    this.#part.set(bytes, this.#partBytes);
    this.#partBytes = size;
    return true;
  }

  #check(more: number): boolean {
    const bytes = this.#heldBytes + this.#partBytes + more;
    if (bytes <= this.#limit) return true;
    this.#fault = tooLarge("a server-sent event", bytes, this.#limit);
    this.#part = new Uint8Array();
    this.#data = [];
    this.#partBytes = this.#heldBytes = 0;
    return false;
  }

  /** A line is complete: `last` are its bytes after those kept. */
  #line(last: Uint8Array, events: SseEvent[]): void {
    let bytes = last;
    if (this.#partBytes > 0) {
      if (!this.#keep(last)) return;
      bytes = this.#part.subarray(0, this.#partBytes);
      this.#partBytes = 0;
    } else if (!this.#check(last.length)) return;
    let line = this.#text.decode(bytes);
    if (this.#firstLine && line.startsWith("\ufeff")) line = line.slice(1);
    this.#firstLine = false;
    if (line === "") this.#dispatch(events);
    else if (!line.startsWith(":")) this.#field(line, bytes.length);
  }

  #field(line: string, bytes: number): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    this.#heldBytes += bytes;
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d{1,15}$/.test(value)) this.#retry = Number(value);
    else this.#heldBytes -= bytes;
  }

  #dispatch(events: SseEvent[]): void {
    if (this.#data.length > 0) {
      events.push({
        data: this.#data.join("\n"),
        ...(this.#event === "" ? {} : { event: this.#event }),
        ...(this.#id === undefined ? {} : { id: this.#id }),
        ...(this.#retry === undefined ? {} : { retry: this.#retry }),
      });
      this.#retry = undefined;
    }
    this.#data = [];
    this.#event = "";
    this.#heldBytes = 0;
  }
}
