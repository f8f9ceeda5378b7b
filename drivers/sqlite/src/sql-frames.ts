/**
 * Frames between us and the SQL child: four bytes of length, then a value as the engine of Node serializes
 * it.
 */
import { deserialize, serialize } from "node:v8";

const HEAD_BYTES = 4;
/**
 * Larger than the largest answer (`RESULT_CHARS_MAX` of two-byte text), so only a broken stream gets here.
 */
export const FRAME_BYTES_MAX = 256 * 1024 * 1024;

export function encodeFrame(value: unknown): Buffer {
  const body = serialize(value);
  const frame = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  frame.writeUInt32LE(body.length, 0);
  body.copy(frame, HEAD_BYTES);
  return frame;
}

/** Bytes in, values out, cut anywhere. After it has thrown it is of no use. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes of the frame that has begun, its head included; 0 = the head is not complete. */
  #wanted = 0;

  /** Bytes that wait for the rest of their frame. */
  get pending(): number {
    return this.#bytes;
  }

  push(chunk: Buffer): unknown[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const values: unknown[] = [];
    while (this.#bytes >= (this.#wanted || HEAD_BYTES)) {
      // Joined only when something can be read: a large frame in small chunks is copied once.
      const all = this.#chunks.length === 1 ? this.#chunks[0] as Buffer : Buffer.concat(this.#chunks);
      this.#chunks = [all];
      this.#wanted = all.readUInt32LE(0) + HEAD_BYTES;
      if (this.#wanted > FRAME_BYTES_MAX) {
        throw new Error(`frame of ${this.#wanted} bytes, the limit is ${FRAME_BYTES_MAX}`);
      }
      if (this.#bytes < this.#wanted) break;
      values.push(deserialize(all.subarray(HEAD_BYTES, this.#wanted)));
      this.#chunks = [all.subarray(this.#wanted)];
      this.#bytes -= this.#wanted;
      this.#wanted = 0;
    }
    return values;
  }
}
