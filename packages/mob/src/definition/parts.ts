/** Lists that are longer than one entry of the ledger, cut into several. Pure. */

/** Characters in one entry: well below what it takes, whatever they are in bytes. */
const PART_CHARS = 16_000;

/** At least one part, and at least one item in each but for an empty list. */
export function toPartsOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  const parts: T[][] = [[]];
  let chars = 0;
  for (const item of items) {
    const size = JSON.stringify(item).length;
    if (chars > 0 && chars + size > PART_CHARS) {
      parts.push([]);
      chars = 0;
    }
    (parts.at(-1) as T[]).push(item);
    chars += size;
  }
  return parts;
}
