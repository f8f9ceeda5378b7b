/**
 * `node:http` in front of the method table (spec: mob 11): the one adapter between sockets and the mob.
 *
 * takes requests; gives answers and streams; promises that nobody but a known principal gets further than `/healthz`;
 * refuses what is too large, too much or for another host; never lets a reader hold up the mob.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { isFault, withDeadline, type Clock, type Log } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { authenticate, checkAccess, type Principal, type Token } from "./access.ts";
import { callMethod, toError, type Doors } from "./call-method.ts";
import type { Served } from "./method.ts";
import { toOpenApi } from "./openapi.ts";
import { readBody, readQuery } from "./request.ts";
import { answerRpc } from "./rpc.ts";
import { tellEntries } from "./stream.ts";
import { findRoute } from "./table.ts";
import { readTopics } from "./topics.ts";

export interface HttpParts {
  readonly served: Served;
  readonly tokens: readonly Token[];
  readonly clock: Clock;
  readonly log: Log;
  readonly newErrorId: () => string;
  readonly version: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Names by which it is called, besides those of this machine. */
  readonly hosts?: readonly string[];
  readonly readOnly?: boolean;
}

export interface HttpServer {
  readonly url: string;
  readonly port: number;
  /** Streams that are open. */
  readonly streams: number;
  /** Streams are told `bye`. */
  close(): Promise<void>;
}

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
const CLOSE_MS = 2_000;

/** Throws `mob.unavailable` when the port cannot be had, `mob.invalid_params` for a host beyond this machine. */
export async function serveHttp(parts: HttpParts): Promise<HttpServer> {
  const { host = "127.0.0.1", port } = parts;
  if (!LOOPBACK.includes(host)) {
    throw mobError("mob.invalid_params", `tokens of this machine are not served on ${host}`, { facts: { path: "http.host" }, hint: "Listen on 127.0.0.1, behind a proxy that asks who comes." });
  }
  const front = new Front(parts);
  const { headerBytesMax, requestMs } = parts.served.limits;
  const server = createServer({ maxHeaderSize: headerBytesMax, requestTimeout: requestMs, headersTimeout: requestMs }, (request, response) => {
    void front.answer(request, response);
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("clientError", (_, socket) => socket.destroy());
  const bound = await listen(server, { host, port });
  return {
    port: bound, url: `http://${host}:${bound}`,
    get streams() {
      return front.streams;
    },
    close: async () => {
      front.close();
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      await withDeadline(() => closed, { clock: parts.clock, ms: CLOSE_MS, what: "closing http" }).catch(() => undefined);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function listen(server: Server, at: { readonly host: string; readonly port: number }): Promise<number> {
  server.listen(at.port, at.host.replace(/^\[|\]$/g, ""));
  try {
    await once(server, "listening");
  } catch (error) {
    throw mobError("mob.unavailable", `port ${at.port} cannot be had: ${error instanceof Error ? error.message : String(error)}`, { cause: error, facts: { what: "port", port: at.port } });
  }
  return (server.address() as AddressInfo).port;
}

class Front {
  readonly #parts: HttpParts;
  readonly #doors: Doors;
  readonly #ending = new AbortController();
  #working = 0;
  readonly #streams = new Map<string, number>();
  #openapi: string | undefined;

  constructor(parts: HttpParts) {
    this.#parts = parts;
    const report = (error: unknown): string => {
      const id = parts.newErrorId();
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      parts.log.write({ level: "error", target: "http", msg: "a request failed inside", fields: { error_id: id, error: text } });
      return id;
    };
    this.#doors = { served: parts.served, readOnly: parts.readOnly ?? false, report };
  }

  get streams(): number {
    return [...this.#streams.values()].reduce((sum, n) => sum + n, 0);
  }

  close(): void {
    this.#ending.abort("shutting_down");
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort(mobError("mob.interrupted", "the caller has gone")));
    response.on("error", () => gone.abort(mobError("mob.interrupted", "the caller has gone")));
    try {
      await this.#route(request, response, gone.signal);
    } catch (error) {
      const { status, body } = toError(error, this.#doors.report);
      const after = body.data["retry_after_ms"];
      if (typeof after === "number") response.setHeader("retry-after", String(Math.ceil(after / 1_000)));
      if (status === 401) response.setHeader("www-authenticate", "Bearer");
      // What was not read of the body is not waited for.
      if (!request.complete) response.setHeader("connection", "close");
      if (response.headersSent) response.destroy();
      else reply(response, status, { error: body });
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse, gone: AbortSignal): Promise<void> {
    const url = new URL(request.url ?? "/", "http://mob");
    const path = url.pathname;
    this.#checkHost(request.headers.host);
    if (path === "/healthz" && request.method === "GET") return void response.writeHead(200, { "content-type": "text/plain" }).end("ok");
    const who = authenticate({ authorization: request.headers.authorization, query: url.searchParams }, this.#parts.tokens);
    if (path === "/v1/stream" && request.method === "GET") return this.#stream(request, response, { who, query: url.searchParams, gone });
    const { limits } = this.#parts.served;
    if (this.#working >= limits.requestsMax) throw mobError("mob.overloaded", `${limits.requestsMax} requests are in work`, { retry_after_ms: 1_000, facts: { limit: limits.requestsMax } });
    this.#working += 1;
    try {
      await this.#call(request, response, { who, url, gone });
    } finally {
      this.#working -= 1;
    }
  }

  async #call(request: IncomingMessage, response: ServerResponse, { who, url, gone }: { readonly who: Principal; readonly url: URL; readonly gone: AbortSignal }): Promise<void> {
    const { clock, served: { limits }, version } = this.#parts;
    const path = url.pathname;
    if (path === "/openapi.json" && request.method === "GET") {
      this.#openapi ??= JSON.stringify(toOpenApi(version));
      return void response.writeHead(200, { "content-type": "application/json" }).end(this.#openapi);
    }
    if (path === "/readyz" && request.method === "GET") return reply(response, 200, { ready: true });
    const rpc = path === "/v1/rpc" && request.method === "POST";
    const found = rpc || !path.startsWith("/v1/") ? undefined : findRoute(request.method ?? "GET", path.slice("/v1".length));
    if (!rpc && found === undefined) throw mobError("mob.method_unknown", `there is nothing at ${request.method ?? ""} ${path}`, { facts: { path } });
    const body = request.method === "GET" ? "" : await readBody(request, limits.jsonBytesMax);
    const ms = rpc || found?.method.waits === true ? limits.pollMs + CLOSE_MS : limits.requestMs;
    const signal = AbortSignal.any([gone, this.#ending.signal]);
    const act = async (until: AbortSignal): Promise<void> => {
      const calling = { who, signal: until };
      if (found === undefined) {
        const answer = await answerRpc(body, this.#doors, calling);
        return answer === undefined ? void response.writeHead(204).end() : reply(response, 200, answer);
      }
      const params = { ...request.method === "GET" ? readQuery(url.searchParams, found.method) : readJson(body), ...found.keys };
      reply(response, 200, await callMethod(this.#doors, found.method, { ...calling, params }));
    };
    await withDeadline(act, { clock, ms, signal, what: "the request" }).catch((error: unknown) => {
      if (this.#ending.signal.aborted && !isFault(error)) throw mobError("mob.shutting_down", "the mob is stopping");
      throw error;
    });
  }

  async #stream(request: IncomingMessage, response: ServerResponse, { who, query, gone }: { readonly who: Principal; readonly query: URLSearchParams; readonly gone: AbortSignal }): Promise<void> {
    const { clock, served: { ledger, limits } } = this.#parts;
    checkAccess(who, { action: "ledger.view", writes: false }, false);
    const topics = query.get("topics") ?? "entries";
    const wants = readTopics(topics);
    const header = request.headers["last-event-id"];
    const after = (typeof header === "string" ? header : undefined) ?? query.get("after") ?? undefined;
    const own = this.#streams.get(who.id) ?? 0;
    if (this.streams >= limits.streamsMax || !who.local && own >= limits.streamsPerPrincipalMax) throw mobError("mob.overloaded", "too many streams are open", { facts: { limit: who.local ? limits.streamsMax : limits.streamsPerPrincipalMax } });
    const signal = AbortSignal.any([gone, this.#ending.signal]);
    // Refused here, before anything is sent, when the cursor is not of this history.
    const entries = ledger.subscribe({}, { signal, ...after === undefined ? {} : { after } });
    this.#streams.set(who.id, own + 1);
    try {
      await tellEntries(response, entries, { ledger, clock, limits, wants, lives: topics.split(",").includes("entries"), signal });
    } finally {
      const left = (this.#streams.get(who.id) ?? 1) - 1;
      if (left === 0) this.#streams.delete(who.id);
      else this.#streams.set(who.id, left);
    }
  }

  /** A page of another site that was given our address by its name server is not answered. */
  #checkHost(host = ""): void {
    const name = host.replace(/:\d+$/, "").toLowerCase();
    if (LOOPBACK.includes(name) || this.#parts.hosts?.includes(name) === true) return;
    throw mobError("mob.denied", `this is not ${JSON.stringify(host)}`, { facts: { host }, hint: "Name it in http.hosts when it is." });
  }
}

function readJson(body: string): object {
  if (body === "") return {};
  try {
    const given: unknown = JSON.parse(body);
    if (typeof given === "object" && given !== null && !Array.isArray(given)) return given;
  } catch {
    // Said below.
  }
  throw mobError("mob.parse", "the body is not a JSON object");
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text), "cache-control": "no-store", "x-content-type-options": "nosniff" });
  response.end(text);
}
