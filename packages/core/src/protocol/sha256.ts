/**
 * SHA-256 (FIPS 180-4) at once, for hellos and credentials: a few hundred bytes are hashed sooner than the platform can
 * be asked, whose answer comes from another thread. A handshake hashes a dozen times.
 */

/** Fractions of the square and cube roots of the first primes. */
const [START, STEPS] = ((): readonly [Uint32Array, Uint32Array] => {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const fraction = (root: number): number => (root - Math.floor(root)) * 2 ** 32 >>> 0;
  return [Uint32Array.from(primes.slice(0, 8), (n) => fraction(Math.sqrt(n))), Uint32Array.from(primes, (n) => fraction(Math.cbrt(n)))];
})();
const BLOCK_BYTES = 64;

/** 32 bytes. */
export function sha256Now(bytes: Uint8Array): Uint8Array {
  const length = Math.ceil((bytes.length + 9) / BLOCK_BYTES) * BLOCK_BYTES;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(length - 8, BigInt(bytes.length) * 8n);
  const state = Uint32Array.from(START);
  const words = new Uint32Array(64);
  for (let at = 0; at < length; at += BLOCK_BYTES) mix(state, words, new DataView(padded.buffer, at));
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((word, at) => out.setUint32(at * 4, word));
  return new Uint8Array(out.buffer);
}

function turn(word: number, by: number): number {
  return word >>> by | word << 32 - by;
}

function mix(state: Uint32Array, words: Uint32Array, block: DataView): void {
  for (let t = 0; t < 16; t++) words[t] = block.getUint32(t * 4);
  for (let t = 16; t < 64; t++) {
    const [early, late] = [words[t - 15] ?? 0, words[t - 2] ?? 0];
    const low = turn(early, 7) ^ turn(early, 18) ^ early >>> 3;
    const high = turn(late, 17) ^ turn(late, 19) ^ late >>> 10;
    words[t] = (words[t - 16] ?? 0) + low + (words[t - 7] ?? 0) + high;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let t = 0; t < 64; t++) {
    const sum = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const one = h + sum + (e & f ^ ~e & g) + (STEPS[t] ?? 0) + (words[t] ?? 0) | 0;
    const two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
    h = g;
    g = f;
    f = e;
    e = d + one | 0;
    d = c;
    c = b;
    b = a;
    a = one + two | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, at) => {
    state[at] = (state[at] ?? 0) + word;
  });
}
