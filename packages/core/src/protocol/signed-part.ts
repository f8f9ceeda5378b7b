/** The part of a message that a signature stands for (spec: wire 6.3). */
import { ByteReader } from "../codec/byte-reader.ts";
import { plainBytes, toRead, type Read } from "../codec/read.ts";

/**
 * The bytes before field `no`, which must be there once and be the last one: anything behind it would not be
 * signed.
 */
export function bytesBeforeField(bytes: Uint8Array, no: number): Read<Uint8Array> {
  return toRead(() => {
    const reader = new ByteReader(plainBytes(bytes), "signed message");
    while (reader.at < reader.end) {
      const start = reader.at;
      const tag = reader.u32();
      if (tag < 8) throw reader.wrong("field_number");
      reader.skipValue(tag & 7);
      if (tag >>> 3 !== no) continue;
      if (reader.at < reader.end) throw reader.wrong("not_last");
      return reader.bytes.subarray(0, start);
    }
    throw reader.wrong("required");
  });
}
