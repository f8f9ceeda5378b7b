/** Writes an answer to a connection, broken where it is meant to be. */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "./answer.ts";

/** Settles when everything is written, also when nobody reads it any more; the signal ends a delay. */
export async function sendAnswer(
  answer: Answer, response: ServerResponse, { delayMs, signal }: { delayMs: number; signal: AbortSignal },
): Promise<void> {
  try {
    if (delayMs > 0) await sleep(delayMs, undefined, { signal });
    if (answer.head) response.writeHead(answer.status, withLength(answer));
    for (const [i, part] of answer.parts.entries()) {
      if (i > 0 && answer.partDelayMs > 0) await sleep(answer.partDelayMs, undefined, { signal });
      if (response.destroyed) return;
      if (!response.write(part)) await flushed(response);
    }
    if (answer.ending === "end") response.end();
    else if (answer.ending === "drop" && answer.parts.length === 0) response.destroy();
    // What was written goes out before the connection is cut.
    else if (answer.ending === "drop") response.write("", () => response.destroy());
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** A clean answer of one part says how long it is, as the real ones do. */
function withLength({ headers, parts, ending }: Answer): Readonly<Record<string, string>> {
  if (ending !== "end" || parts.length > 1 || "content-length" in headers) return headers;
  return { ...headers, "content-length": String(Buffer.byteLength(parts[0] ?? "")) };
}

function flushed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}
