/** Puts blobs for ever, to be killed: tells each that it begins and each that it was told is there. */
import { printNow } from "@atoll-run/testkit";
import { openBlobFolder } from "../../src/compose/blob-folder.ts";

const [at = "", round = ""] = process.argv.slice(2);
const blobs = await openBlobFolder(at);
for (let n = 0; ; n++) {
  const name = `r${round}n${n}`;
  printNow(`begins ${name}`);
  await blobs.put(name, Buffer.alloc(4_000_000, n));
  printNow(`told ${name}`);
}
