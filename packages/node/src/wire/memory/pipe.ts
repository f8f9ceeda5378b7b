/**
 * One direction of a link inside a process.
 * takes bodies; gives them to the hearer at the other end, later and in order; promises that what was sent before an
 * orderly end arrives before it; refuses after the end; never copies a body: neither end changes it afterwards.
 */
import type { Clock, Lane, LinkEnd, Receive } from "@atoll-run/core";
import { WaterMarks, type Marks } from "../water-marks.ts";
import type { Soon } from "./soon.ts";

interface Item {
  readonly lane: Lane;
  readonly body: Uint8Array;
  /** Monotonic. */
  readonly dueMs: number;
}

export interface PipeParts {
  readonly clock: Clock;
  readonly soon: Soon;
  readonly marks: Marks;
  readonly fate?: ((lane: Lane) => readonly number[]) | undefined;
  /** The last that the far end hears. */
  readonly ended: (end: LinkEnd) => void;
}

const AT_ONCE: readonly number[] = [0];

export class Pipe {
  readonly water: WaterMarks;
  readonly #parts: PipeParts;
  #items: Item[] = [];
  /** Bodies of unordered lanes that are on their way. */
  readonly #loose = new Set<Disposable>();
  #hear: Receive | undefined;
  #end: LinkEnd | undefined;
  #over = false;
  #pumping = false;
  #timer: Disposable | undefined;

  constructor(parts: PipeParts) {
    this.#parts = parts;
    this.water = new WaterMarks(parts.marks);
  }

  /** Who hears; bodies wait until it is known. */
  hearBy(hear: Receive): void {
    this.#hear = hear;
    this.#pump();
  }

  /** False after the end. */
  send(lane: Lane, body: Uint8Array): boolean {
    if (this.#over || this.#end !== undefined) return false;
    const { fate, clock } = this.#parts;
    for (const delayMs of fate?.(lane) ?? AT_ONCE) {
      this.water.add(body.length);
      if (lane === "stream_latency_first" && delayMs > 0) {
        this.#sendLoose(lane, body, delayMs);
        continue;
      }
      const last = this.#items.at(-1)?.dueMs ?? 0;
      this.#items.push({ lane, body, dueMs: fate === undefined ? 0 : Math.max(last, clock.monotonic() + delayMs) });
    }
    this.#pump();
    return true;
  }

  /** What was sent still arrives. */
  end(end: LinkEnd): void {
    this.#end ??= end;
    this.#pump();
  }

  /** What is on its way is lost. */
  cut(end: LinkEnd): void {
    this.#end ??= end;
    this.#items = [];
    this.#finish(this.#end);
  }

  #sendLoose(lane: Lane, body: Uint8Array, delayMs: number): void {
    const timer = this.#parts.clock.after(delayMs, () => {
      this.#loose.delete(timer);
      this.water.take(body.length);
      if (!this.#over) this.#hear?.(lane, body);
    });
    this.#loose.add(timer);
  }

  /** Sees to it that what is due is delivered. */
  #pump(): void {
    if (this.#pumping || this.#over || this.#hear === undefined) return;
    const first = this.#items[0];
    if (first === undefined && this.#end === undefined) return;
    this.#pumping = true;
    const waitMs = first === undefined || first.dueMs === 0 ? 0 : first.dueMs - this.#parts.clock.monotonic();
    if (waitMs > 0) this.#timer = this.#parts.clock.after(waitMs, () => this.#deliver());
    else this.#parts.soon.run(() => this.#deliver());
  }

  #deliver(): void {
    this.#timer = undefined;
    const items = this.#items;
    const now = items[0]?.dueMs === 0 ? 0 : this.#parts.clock.monotonic();
    // What comes in meanwhile goes into the next turn, behind these.
    let later = items.findIndex((item) => item.dueMs > now);
    if (later < 0) later = items.length;
    this.#items = items.slice(later);
    for (let at = 0; at < later && !this.#over; at++) {
      const { lane, body } = items[at] as Item;
      this.water.take(body.length);
      this.#hear?.(lane, body);
    }
    this.#pumping = false;
    if (this.#items.length === 0 && this.#end !== undefined) this.#finish(this.#end);
    else this.#pump();
  }

  #finish(end: LinkEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.[Symbol.dispose]();
    for (const timer of this.#loose) timer[Symbol.dispose]();
    this.water.release();
    this.#parts.ended(end);
  }
}
