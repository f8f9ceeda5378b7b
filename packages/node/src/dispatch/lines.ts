/** A line of things from which any may step out at once. */

/** A class: V8 makes objects of a literal old when those of a start have lived long, and what they refer to with them. */
export class Place<T> {
  readonly value: T;
  before: Place<T> | undefined;
  after: Place<T> | undefined = undefined;
  line: Line<T> | undefined;

  constructor(value: T, before: Place<T> | undefined, line: Line<T>) {
    this.value = value;
    this.before = before;
    this.line = line;
  }
}

export class Line<T> {
  #first: Place<T> | undefined;
  #last: Place<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#first?.value;
  }

  /** To the end. */
  join(value: T): Place<T> {
    const place = new Place(value, this.#last, this);
    if (this.#last === undefined) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
    this.#size += 1;
    return place;
  }

  shift(): T | undefined {
    const place = this.#first;
    if (place !== undefined) leave(place);
    return place?.value;
  }

  /** For {@link leave} alone. */
  unlink(place: Place<T>): void {
    if (place.before === undefined) this.#first = place.after;
    else place.before.after = place.after;
    if (place.after === undefined) this.#last = place.before;
    else place.after.before = place.before;
    this.#size -= 1;
    // One that is old garbage would keep those alive that came after it, until all old garbage is looked at.
    place.before = place.after = place.line = undefined;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let place = this.#first; place !== undefined; place = place.after) yield place.value;
  }
}

/** Out of its line; nothing when it stands in none. */
export function leave<T>(place: Place<T> | undefined): void {
  place?.line?.unlink(place);
}
