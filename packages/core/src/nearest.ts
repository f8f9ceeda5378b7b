/** The word that was perhaps meant. Pure. */

/**
 * The nearest of the known ones that is at most a third of its letters away, big or small, but not all of them: to add, leave out or change a letter, or to swap
 * it with the next, is one step.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: { word: string; far: number } | undefined;
  for (const one of known) {
    const most = Math.min(Math.max(1, Math.floor(one.length / 3)), Math.max(word.length, one.length) - 1);
    // Whatever somebody sends as a word, it takes no time to see that it is none.
    if (Math.abs(word.length - one.length) > most) continue;
    const far = distance(word.toLowerCase(), one.toLowerCase());
    if (far <= most && (best === undefined || far < best.far)) best = { word: one, far };
  }
  return best?.word;
}

/** Row by row. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? Infinity) + 1 : Infinity;
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + same, swapped));
    }
    before = row;
    row = next;
  }
  return row[b.length] as number;
}
