/** The word that was perhaps meant. */

/** The nearest of the known ones that is at most a third of its letters away. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: { word: string; far: number } | undefined;
  for (const one of known) {
    const most = Math.max(1, Math.floor(one.length / 3));
    // Whatever somebody sends as a word, it takes no time to see that it is none.
    if (Math.abs(word.length - one.length) > most) continue;
    const far = distance(word.toLowerCase(), one.toLowerCase());
    if (far <= most && (best === undefined || far < best.far)) best = { word: one, far };
  }
  return best?.word;
}

/** Levenshtein's, row by row. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((next[j - 1] as number) + 1, (row[j] as number) + 1, (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] as number;
}
