/**
 * The HTTP side of `atoll mcp`: who may come in, which session a request belongs to, and how many there are.
 * takes HTTP requests at /mcp; gives each client a session of its own; promises that no web page of another
 * origin gets in; refuses what has no token, a foreign host or origin, or no session; never holds a session
 * that is not used.
 */
import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { HttpSession } from "./sdk-server.ts";

export const HTTP_SESSIONS_MAX = 32;
/** A client that is silent for so long has gone. */
const IDLE_MS_MAX = 30 * 60_000;
const SWEEP_MS = 60_000;
export const HTTP_BODY_BYTES_MAX = 4 * 1_048_576;

export interface HttpParts {
  readonly host: string;
  readonly port: number;
  /** undefined = none is asked for; only on this machine. */
  readonly token: string | undefined;
  /** Opens a session; `opened` is called with its id. */
  open(o: { id: () => string; opened: (id: string) => void }): Promise<HttpSession>;
}

export interface HttpDoor {
  /** `http://127.0.0.1:PORT/mcp`. */
  readonly url: string;
  close(): Promise<void>;
}

interface Held {
  readonly session: HttpSession;
  usedAtMs: number;
  /** Requests that are being answered. */
  open: number;
}

/** Addresses and names of this machine alone. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

export async function openHttp(parts: HttpParts): Promise<HttpDoor> {
  const sessions = new Map<string, Held>();
  const server = createServer((request, response) => {
    serve(request, response, { parts, sessions }).catch(() => {
      if (!response.headersSent) refuse(response, 500, "internal error");
      else response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(parts.port, parts.host, () => resolve());
  });
  const sweep = setInterval(() => {
    for (const [id, held] of sessions) {
      if (held.open === 0 && performance.now() - held.usedAtMs > IDLE_MS_MAX) drop(sessions, id);
    }
  }, SWEEP_MS);
  const host = parts.host.includes(":") ? `[${parts.host}]` : parts.host;
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/mcp`,
    close: async () => {
      clearInterval(sweep);
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      await Promise.all([...sessions.values()].map(({ session }) => session.close().catch(() => undefined)));
      server.closeAllConnections();
      await closed;
    },
  };
}

function drop(sessions: Map<string, Held>, id: string): void {
  const held = sessions.get(id);
  sessions.delete(id);
  held?.session.close().catch(() => undefined);
}

interface Doing {
  readonly parts: HttpParts;
  readonly sessions: Map<string, Held>;
}

async function serve(
  request: IncomingMessage, response: ServerResponse, { parts, sessions }: Doing,
): Promise<void> {
  const wrong = refusalOf(request, parts);
  if (wrong !== undefined) return refuse(response, ...wrong);
  const id = request.headers["mcp-session-id"];
  if (typeof id === "string") {
    const held = sessions.get(id);
    if (held === undefined) return refuse(response, 404, "there is no such session");
    return await answer(held, request, response);
  }
  if (request.method !== "POST") return refuse(response, 400, "header Mcp-Session-Id is missing");
  if (sessions.size >= HTTP_SESSIONS_MAX) {
    return refuse(response, 503, `more than ${HTTP_SESSIONS_MAX} sessions are open`);
  }
  const session = await parts.open({ id: randomUUID, opened: (made) => {
    sessions.set(made, held);
    session.closed.then(() => sessions.delete(made), () => undefined);
  } });
  const held: Held = { session, usedAtMs: performance.now(), open: 0 };
  await answer(held, request, response);
  // What was no hello has made no session.
  if (![...sessions.values()].includes(held)) await session.close();
}

async function answer(held: Held, request: IncomingMessage, response: ServerResponse): Promise<void> {
  held.open++;
  response.once("close", () => {
    held.open--;
    held.usedAtMs = performance.now();
  });
  await held.session.handle(request, response);
}

type Refusal = [status: number, problem: string];

function refusalOf({ url, headers }: IncomingMessage, { token, host }: HttpParts): Refusal | undefined {
  if ((url ?? "").replace(/\?.*$/, "") !== "/mcp") return [404, "serves /mcp only"];
  // A page that made its own name point here would send that name (DNS rebinding).
  if (isLoopback(host) && !isLoopback(hostOf(headers.host))) return [403, "foreign Host"];
  const { origin } = headers;
  const own = origin === undefined || origin === "" || isSame(origin, headers.host);
  if (!own) return [403, "foreign Origin"];
  return token === undefined || isToken(headers.authorization, token) ? undefined : [401, "needs the token"];
}

function hostOf(header: string | undefined): string {
  return (header ?? "").replace(/:\d+$/, "");
}

function isSame(origin: string, host: string | undefined): boolean {
  if (!URL.canParse(origin)) return false;
  const from = new URL(origin);
  return from.host === host || (isLoopback(from.hostname) && isLoopback(hostOf(host)));
}

/** Takes the same time whatever is wrong. */
function isToken(header: string | undefined, token: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(/^Bearer (.+)$/i.exec(header ?? "")?.[1] ?? ""), hash(token));
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json",
    ...(status === 401 ? { "www-authenticate": "Bearer" } : {}), "connection": "close" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32_000, message } }));
}
