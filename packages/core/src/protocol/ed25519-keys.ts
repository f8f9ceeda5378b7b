/** What both ways to Ed25519 share. */
export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(...parts: readonly Uint8Array[]): Promise<Uint8Array>;
}

/** Before the 32 bytes of a seed in PKCS #8 (RFC 8410). */
export const PKCS8_PREFIX = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);

const KEYS_MAX = 64;

/** The keys that were used last, as the platform holds them: that of the realm is used for every credential. */
export class RecentKeys<Key> {
  readonly #toKey: (raw: Uint8Array) => Key;
  readonly #keys = new Map<string, Key>();

  constructor(toKey: (raw: Uint8Array) => Key) {
    this.#toKey = toKey;
  }

  of(raw: Uint8Array): Key {
    const name = nameOf(raw);
    const key = this.#keys.get(name) ?? this.#toKey(raw);
    this.#keys.delete(name);
    this.#keys.set(name, key);
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= KEYS_MAX) break;
      this.#keys.delete(oldest);
    }
    return key;
  }
}

const LETTERS = new TextDecoder("latin1");

/** A text for each row of bytes, as a name in a map: nobody reads it. */
export function nameOf(bytes: Uint8Array): string {
  return LETTERS.decode(bytes);
}

/** A copy of the parts, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
