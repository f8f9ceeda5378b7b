/** How V8 treats the objects of a process that runs a mob. */
import { setFlagsFromString } from "node:v8";

/**
 * What a mob makes for a turn is to be young: garbage by the next minor collection. V8 decides by what it saw while a process
 * starts, when all turns wait for members to come up, that what some literals make lives long, and makes it old from then on,
 * with all that it refers to: 5 to 10 KB of each turn stayed for the next major collection, and minor collections took twice
 * as long. It decides nothing of the kind after the first call. For the whole process, for good.
 */
export function endPretenuring(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}
