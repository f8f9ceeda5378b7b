/**
 * Our own bug: a state that correct code cannot reach. Never caught to go on; the owner of the scope ends it.
 */
export class Bug extends Error {
  override readonly name = "Bug";
}

/** The value, which correct code guarantees to be there. */
export function must<T>(value: T | null | undefined, why: string): T {
  if (value === null || value === undefined) throw new Bug(why);
  return value;
}

/** Refuses to go on when something that correct code guarantees does not hold. */
export function assert(holds: boolean, why: string): asserts holds {
  if (!holds) throw new Bug(why);
}
