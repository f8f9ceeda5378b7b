/**
 * Port of bytes that are too large to stand among rows: a blob is put once under its key and never changed.
 * takes keys and bytes; gives bytes back, whole or in pieces; promises that a blob is there as a whole or not at all, and that
 * it is durable when `put` resolves; refuses keys that are none; never looks into the bytes: keys say what is in them, so that
 * whoever puts other bytes under a key that is there changes nothing.
 */
export interface BlobStore extends AsyncDisposable {
  readonly supports: {
    /** What was put survives the process. */
    readonly durable: boolean;
  };
  /**
   * Gives false when it was there already: nothing is written then. Throws `state.full`, `state.broken`, `state.closed`; the bytes must not
   * be changed meanwhile.
   */
  put(key: string, bytes: Uint8Array): Promise<boolean>;
  /** How many bytes it has; undefined: there is none. */
  size(key: string): Promise<number | undefined>;
  /** Bytes from there on, fewer at its end; undefined: there is none. */
  read(key: string, range: BlobRange): Promise<Uint8Array | undefined>;
}

export interface BlobRange {
  readonly from: number;
  readonly length: number;
}

const KEY = /^[0-9a-z]{1,128}$/;

/** Lower letters and digits, at most 128: a key may be the name of a file. */
export function isBlobKey(key: string): boolean {
  return KEY.test(key);
}
