/** What can go wrong between the nodes of a memory net: delay, loss, doubling, partition. Nodes are texts of ids. */
import type { Lane } from "@atoll-run/core";

export interface Way {
  /** Absent = from anybody. */
  readonly from?: string;
  readonly to?: string;
  /** Absent = on every lane. */
  readonly lane?: Lane;
}

export interface Trouble {
  /** Milliseconds that a body takes. */
  readonly delayMs?: number;
  /** Up to so many milliseconds more, at random. */
  readonly jitterMs?: number;
  /** Share of bodies that never arrive, and of those that arrive twice, 0 to 1. */
  readonly lost?: number;
  readonly doubled?: number;
}

export interface NetTroublesUnderTest {
  /** Makes trouble on a way until disposed; where several hold, the last made counts. */
  make(trouble: Trouble, way?: Way): Disposable;
  /** Nothing passes between the two, either way, and no dial does, until disposed. Links stand: nobody is told. */
  part(one: string, other: string): Disposable;
  fate(from: string, to: string, lane: Lane): readonly number[];
  dial(from: string, to: string): number | undefined;
}

/** `random`: 0 ≤ x < 1. */
export function netTroubles(random: () => number): NetTroublesUnderTest {
  const made: { readonly trouble: Trouble; readonly way: Way }[] = [];
  const matches = (way: Way, from: string, to: string): boolean =>
    (way.from === undefined || way.from === from) && (way.to === undefined || way.to === to);
  const make = (trouble: Trouble, way: Way = {}): Disposable => {
    const entry = { trouble, way };
    made.push(entry);
    return {
      [Symbol.dispose]: () => {
        if (made.includes(entry)) made.splice(made.indexOf(entry), 1);
      },
    };
  };
  const delay = ({ delayMs = 0, jitterMs = 0 }: Trouble): number => delayMs + random() * jitterMs;
  return {
    make,
    part: (one, other) => {
      const ways = [make({ lost: 1 }, { from: one, to: other }), make({ lost: 1 }, { from: other, to: one })];
      return { [Symbol.dispose]: () => ways.forEach((way) => way[Symbol.dispose]()) };
    },
    fate: (from, to, lane) => {
      const trouble = made.findLast(({ way }) => matches(way, from, to) && (way.lane ?? lane) === lane)?.trouble ?? {};
      if (random() < (trouble.lost ?? 0)) return [];
      return random() < (trouble.doubled ?? 0) ? [delay(trouble), delay(trouble)] : [delay(trouble)];
    },
    dial: (from, to) => {
      const trouble = made.findLast(({ way }) => matches(way, from, to) && way.lane === undefined)?.trouble ?? {};
      return random() < (trouble.lost ?? 0) ? undefined : delay(trouble);
    },
  };
}
