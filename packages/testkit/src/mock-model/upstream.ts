/** Passes a request on to a real provider, and its answer back as it comes, keeping a copy. */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { pathOf } from "./recording.ts";

/** Headers of one connection, which do not go further; the length is set anew. */
const HOP = new Set(["connection", "keep-alive", "host", "content-length", "transfer-encoding", "upgrade",
  "te", "trailer",
  "proxy-authorization", "proxy-authenticate", "accept-encoding", "content-encoding", "expect"]);
/** Models think for minutes; nobody waits longer for the next byte of all of it. */
const ANSWER_MS_MAX = 600_000;

export interface Passing {
  readonly upstream: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

export interface Passed {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly cut: boolean;
}

/** Throws when the provider cannot be reached; nothing has been answered then. */
export async function passOn({ upstream, path, headers, text, response, signal }: Passing): Promise<Passed> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]);
  const { search } = new URL(path, "http://mock");
  const answer = await fetch(upstream.replace(/\/+$/, "") + pathOf(path) + search, {
    method: "POST", body: text, signal: ends, redirect: "manual",
    headers: { ...forwarded(headers), "accept-encoding": "identity" },
  });
  const given = Object.fromEntries([...answer.headers].filter(([name]) => !HOP.has(name)));
  response.writeHead(answer.status, given);
  const chunks: Uint8Array[] = [];
  let cut = false;
  try {
    for await (const chunk of answer.body ?? []) {
      chunks.push(chunk);
      if (!response.write(chunk)) await drained(response, ends);
    }
    response.end();
  } catch {
    cut = true;
    response.destroy();
  }
  return { status: answer.status, headers: given, body: Buffer.concat(chunks).toString("utf8"), cut };
}

function forwarded(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) =>
    (HOP.has(name) || value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]])));
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
    signal.addEventListener("abort", done);
  });
}
