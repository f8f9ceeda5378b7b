/** A request with its redirects: the gate is asked at every hop. */
import { blockError } from "../../errors.ts";
import type { GrantGate } from "../../grants/gate.ts";
import type { HeaderList, HttpClient, HttpReply, HttpSend } from "./client.ts";
import { headerOf } from "./decode.ts";

export interface ExchangeParts {
  readonly gate: Pick<GrantGate, "url">;
  readonly client: HttpClient;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Bytes of a redirect's own body that are read so as to use its connection again. */
const PASSING_BYTES = 65_536;

/**
 * Sends and follows up to `redirects` redirects; 0 gives a redirect as it is. Credentials do not go to
 * another origin. Throws `http.request` for one redirect too many, or what gate and client throw.
 */
export async function exchange(
  parts: ExchangeParts, first: HttpSend, o: { readonly redirects: number; readonly signal: AbortSignal },
): Promise<HttpReply> {
  let request = first;
  for (let hop = 0; ; hop++) {
    parts.gate.url(request.url);
    const reply = await parts.client.send(request, o);
    const target = o.redirects > 0 && REDIRECTS.has(reply.status) ? targetOf(reply, request.url) : undefined;
    if (target === undefined) return reply;
    await pass(reply);
    if (hop >= o.redirects) throw requestError(`too many redirects (max ${o.redirects})`);
    if (target.protocol !== "http:" && target.protocol !== "https:") {
      parts.gate.url(target);
      throw requestError(`redirect to ${target.protocol}//, which is neither http nor https`);
    }
    request = redirected(request, reply.status, target);
  }
}

function requestError(reason: string): Error {
  return blockError("http.request", `http request error: ${reason}`, { facts: { reason } });
}

/** Where a redirect leads; undefined when it names nothing that can be read. */
function targetOf(reply: HttpReply, from: URL): URL | undefined {
  const location = headerOf(reply.headers, "location");
  return location === undefined ? undefined : URL.parse(location, from.href) ?? undefined;
}

async function pass(reply: HttpReply): Promise<void> {
  let bytes = 0;
  for await (const chunk of reply.body) {
    bytes += chunk.length;
    if (bytes > PASSING_BYTES) break;
  }
  reply.close();
}

function redirected(request: HttpSend, status: number, target: URL): HttpSend {
  const url = new URL(target);
  // Credentials that a server puts into a redirect are not the caller's.
  url.username = url.password = "";
  const same = url.origin === request.url.origin;
  const toGet = status === 303
    ? request.method !== "HEAD" : (status === 301 || status === 302) && request.method === "POST";
  const headers: HeaderList = request.headers.filter(([name]) =>
    (same || !isCredential(name)) && !(toGet && isAboutBody(name)));
  return toGet ? { method: "GET", url, headers } : { ...request, url, headers };
}

/** Headers that belong to the origin they were meant for: by name, or because the name says so. */
function isCredential(name: string): boolean {
  return /^(?:cookie2?|host)$|auth|token|secret|passw|credential|(?:api|access|private)[-_]?key/i.test(name);
}

function isAboutBody(name: string): boolean {
  return /^(?:content-.*|transfer-encoding)$/i.test(name);
}
