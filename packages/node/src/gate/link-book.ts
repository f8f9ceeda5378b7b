/** What the gates know about each link while it stands. */
import type { Clock, Link } from "@atoll-run/core";
import { idText } from "../identity/id-text.ts";

export interface LinkNote {
  /** Text of the peer's id. */
  readonly peer: string;
  /** It knows our fields, ACCEPT and system routes; steers streams. */
  readonly rpc1: boolean;
  readonly stream1: boolean;
  /** When something of it came last, monotonic milliseconds. */
  heardAtMs: number;
  probing: boolean;
  /** Frames that could not be read since that time. */
  unreadable: number;
  unreadableSinceMs: number;
}

export class LinkBook {
  readonly #clock: Clock;
  readonly #notes = new WeakMap<Link, LinkNote>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(link: Link): LinkNote {
    let note = this.#notes.get(link);
    if (note === undefined) {
      const { id, features } = link.peer;
      note = {
        peer: idText(id), rpc1: features.has("rpc1"), stream1: features.has("stream1"),
        heardAtMs: this.#clock.monotonic(), probing: false, unreadable: 0, unreadableSinceMs: 0,
      };
      this.#notes.set(link, note);
    }
    return note;
  }
}
