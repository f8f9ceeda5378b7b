/** Things with an instant each, and one timer for the next of them. */
import type { Clock } from "@atoll-run/core";

export interface Dated {
  /** `Infinity` = none. Only the agenda writes it. */
  dueMs: number;
  /** Place in the heap, -1 = none. Only the agenda writes it. */
  place: number;
}

export interface AgendaParts<T> {
  readonly clock: Clock;
  now(): number;
  /** Its instant has come; it has none any more. */
  due(item: T): void;
}

/** A binary heap that knows where each thing stands. */
export class Agenda<T extends Dated> {
  readonly #parts: AgendaParts<T>;
  readonly #heap: T[] = [];
  #timer: Disposable | undefined;
  #timerAtMs = Infinity;
  #running = false;

  constructor(parts: AgendaParts<T>) {
    this.#parts = parts;
  }

  /** `Infinity` takes it out. */
  set(item: T, dueMs: number): void {
    if (item.place >= 0 && item.dueMs === dueMs) return;
    if (dueMs === Infinity) return this.#remove(item);
    item.dueMs = dueMs;
    if (item.place < 0) item.place = this.#heap.push(item) - 1;
    this.#up(item.place);
    this.#down(item.place);
    this.#arm();
  }

  /** No timer any more. */
  end(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#timerAtMs = Infinity;
    this.#heap.length = 0;
    this.#running = true;
  }

  #arm(): void {
    const first = this.#heap[0];
    // A timer that comes too early costs less than one moved for each message.
    if (first === undefined || first.dueMs >= this.#timerAtMs || this.#running) return;
    this.#timer?.[Symbol.dispose]();
    this.#timerAtMs = first.dueMs;
    this.#timer = this.#parts.clock.after(Math.max(1, first.dueMs - this.#parts.now()), () => this.#run());
  }

  #run(): void {
    this.#timer = undefined;
    this.#timerAtMs = Infinity;
    const now = this.#parts.now();
    const due: T[] = [];
    for (let first = this.#heap[0]; first !== undefined && first.dueMs <= now; first = this.#heap[0]) {
      this.#remove(first);
      due.push(first);
    }
    // One that is wanted again at once waits for the next turn, so that no mistake can stop the loop.
    for (const item of due) this.#parts.due(item);
    this.#arm();
  }

  #remove(item: T): void {
    const { place } = item;
    item.dueMs = Infinity;
    item.place = -1;
    if (place < 0) return;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#put(last, place);
    this.#up(place);
    this.#down(last.place);
  }

  #put(item: T, place: number): void {
    this.#heap[place] = item;
    item.place = place;
  }

  #up(from: number): void {
    const item = this.#heap[from];
    if (item === undefined) return;
    let place = from;
    while (place > 0) {
      const above = place - 1 >> 1;
      const other = this.#heap[above];
      if (other === undefined || other.dueMs <= item.dueMs) break;
      this.#put(other, place);
      place = above;
    }
    this.#put(item, place);
  }

  #down(from: number): void {
    const item = this.#heap[from];
    if (item === undefined) return;
    let place = from;
    for (;;) {
      const left = place * 2 + 1;
      const [one, two] = [this.#heap[left], this.#heap[left + 1]];
      if (one === undefined) break;
      const other = two !== undefined && two.dueMs < one.dueMs ? two : one;
      if (other.dueMs >= item.dueMs) break;
      const below = other.place;
      this.#put(other, place);
      place = below;
    }
    this.#put(item, place);
  }
}
