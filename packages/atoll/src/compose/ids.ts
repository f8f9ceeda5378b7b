/** Identifiers from the random source and the clock of this machine. */
import { randomUUID } from "node:crypto";
import type { Clock, Ids } from "@atoll-run/core";
import { randomOf } from "./random.ts";

/** Of a UUID version 7: 48 bits of time, then 12 and 62 bits that tell ids of one millisecond apart. */
const SEQUENCE_MAX = 0xfff;

/**
 * Version 7 ids of one source sort in the order in which they were made, also within a millisecond and when
 * the clock is set back.
 */
export function systemIds(clock: Clock): Ids {
  let lastMs = -1;
  let sequence = 0;
  const next = (): [ms: number, sequence: number] => {
    const now = Math.floor(clock.now());
    if (now > lastMs) {
      lastMs = now;
      // Starts low, so that there is room for many ids in the same millisecond.
      sequence = randomOf(1)[0] as number;
    } else if (++sequence > SEQUENCE_MAX) {
      lastMs++;
      sequence = 0;
    }
    return [lastMs, sequence];
  };
  return {
    uuid4: () => randomUUID(),
    uuid7: () => {
      const [ms, count] = next();
      const time = ms.toString(16).padStart(12, "0");
      const rest = randomOf(8);
      rest[0] = 0x80 | ((rest[0] as number) & 0x3f);
      const tail = Buffer.from(rest).toString("hex");
      const order = count.toString(16).padStart(3, "0");
      return `${time.slice(0, 8)}-${time.slice(8)}-7${order}-${tail.slice(0, 4)}-${tail.slice(4)}`;
    },
  };
}
