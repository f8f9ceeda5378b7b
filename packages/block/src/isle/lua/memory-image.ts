/** What a VM can begin with instead of an empty memory: see image.ts. */

/**
 * What every isle has in Lua and the host must find: the function under every task, the metatable of error objects and
 * the mark of arrays; the function under every handler, the one that requires all its arguments, the one that takes
 * the host's tools; what makes late functions, the globals of late code and what each shares with its first part.
 */
export type Known =
  | "base" | "fault" | "array" | "runner" | "requirer" | "host tools" | "later" | "late globals" | `shared ${string}`;

export type Refs = Partial<Record<Known, number>>;

export interface MemoryImage {
  /** What is not zero of the memory. */
  readonly pieces: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  /** Size of the memory in bytes. */
  readonly size: number;
  readonly main: number;
  readonly scratch: number;
  /** Where `math.random` has its state; each copy gets one of its own. */
  readonly random: number;
  /** References that every isle has. */
  readonly refs: Readonly<Refs>;
  /** Names of the globals that every isle has from its start. */
  readonly bootGlobals: readonly string[];
}

/** Words of 32 bits of the state of `math.random` (xoshiro256**). */
export const RANDOM_WORDS = 8;
