/** Ways to ask many times. */
import { toFigures } from "./figures.ts";

export type Ask = () => Promise<unknown>;

/** Median time of one, one after the other, in milliseconds. */
export async function oneByOne(times: number, ask: Ask): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const begun = performance.now();
    await ask();
    taken.push(performance.now() - begun);
  }
  return toFigures(taken).median;
}

/** Milliseconds for all, so many at a time. */
export async function atOnce(times: number, outstanding: number, ask: Ask): Promise<number> {
  const begun = performance.now();
  await Promise.all(Array.from({ length: outstanding }, async () => {
    for (let i = 0; i < times / outstanding; i++) await ask();
  }));
  return performance.now() - begun;
}
