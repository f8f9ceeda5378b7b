/**
 * Texts that models are writing (spec: mob 5.3): each as far as it has come, for who joins late or has lost some of it.
 *
 * takes live signals in their order; gives pieces their offsets, and each text so far; promises that one is forgotten when its call or its
 * turn is over; refuses nothing; never keeps more than it may: of a longer text who joins late gets no more than later pieces.
 */
import type { Entry, Live } from "./entry.ts";

type Signal = Omit<Live, "after_seq">;

interface Text {
  readonly first: Signal;
  chars: number;
  /** Undefined: it is too long. */
  text: string | undefined;
}

const TEXTS_MAX = 1_024;
const CHARS_MAX = 65_536;

export class LiveTexts {
  /** By member, call and place in the answer. */
  readonly #texts = new Map<string, Text>();

  /** What is to be told of it. */
  hear(signal: Signal): Signal {
    const { live, member = "", data } = signal;
    const call = JSON.stringify([member, data["call"]]);
    if (live === "phase") this.#forget((key) => key.startsWith(call));
    if (live !== "text" && live !== "reasoning") return signal;
    const key = `${call}${live}${String(data["index"])}`;
    const known = this.#texts.get(key) ?? { first: signal, chars: 0, text: "" };
    const piece = String(data["text"]);
    const told = { ...signal, data: { ...data, offset: known.chars } };
    known.chars += piece.length;
    known.text = known.chars > CHARS_MAX ? undefined : `${known.text ?? ""}${piece}`;
    this.#texts.set(key, known);
    const [oldest] = this.#texts.size > TEXTS_MAX ? this.#texts.keys() : [];
    if (oldest !== undefined) this.#texts.delete(oldest);
    return told;
  }

  entry({ kind, turn_id }: Entry): void {
    if (this.#texts.size === 0 || turn_id === undefined || !OVER.has(kind)) return;
    this.#forget((_, { first }) => first.turn_id === turn_id);
  }

  /** As signals of their own: `partial`, of which `of` says whether it is text or reasoning. */
  partials(after_seq: number): readonly Live[] {
    return [...this.#texts.values()].flatMap(({ first: { live: of, member, turn_id, data: { call, index } }, text }): Live[] => text === undefined ? [] : [{
      live: "partial", after_seq, ...member === undefined ? {} : { member }, ...turn_id === undefined ? {} : { turn_id },
      data: { of, ...call === undefined ? {} : { call }, ...index === undefined ? {} : { index }, text },
    }]);
  }

  #forget(which: (key: string, text: Text) => boolean): void {
    for (const [key, text] of this.#texts) if (which(key, text)) this.#texts.delete(key);
  }
}

/** A turn that is over, or begins anew. */
const OVER: ReadonlySet<Entry["kind"]> = new Set<Entry["kind"]>(["turn_started", "turn_done", "turn_failed", "turn_cancelled", "turn_expired", "turn_dead"]);
