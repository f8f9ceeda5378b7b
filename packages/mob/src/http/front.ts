/**
 * One request at a time, from its first line to its answer (spec: mob 11.2, 11.6 to 11.12).
 *
 * takes requests; gives answers, streams and the console's files; promises that nobody but a known principal gets further than
 * `/healthz`, the files of the console and the door where one signs in; refuses other hosts and more work than there may be;
 * never tells what went wrong inside.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { isFault, type Log } from "@atoll-run/core";
import { z } from "zod";
import { mobError, type MobError } from "../errors.ts";
import type { EntryFilter } from "../ledger/entry.ts";
import { deniedError, type Principal, type Token } from "./access.ts";
import { callMethod, invalidParams, toError, type Doors } from "./call-method.ts";
import { download, hasBytes, upload } from "./blob-bytes.ts";
import { findFile, sendFile } from "./console.ts";
import { Credentials, STREAM_PATH, type Asking } from "./credentials.ts";
import { type Hearing, readTopics, toHearing } from "./hearing.ts";
import { DEADLINE, hasOwnDeadline, inTime, readDeadline } from "./in-time.ts";
import type { Served } from "./method.ts";
import { Metrics, readinessOf } from "./metrics.ts";
import type { Oidc } from "./oidc.ts";
import { toOpenApi } from "./openapi.ts";
import { readBody, readJson, readQuery, traceOf, withKeys } from "./request.ts";
import { answerRpc } from "./rpc.ts";
import { Streams } from "./streams.ts";
import { hearing } from "./schemas.ts";
import { findRoute, nearestRoute } from "./table.ts";

export interface FrontParts {
  readonly served: Served;
  readonly tokens: readonly Token[];
  readonly oidc?: Oidc | undefined;
  readonly log: Log;
  readonly bytes: (count: number) => Uint8Array;
  readonly newErrorId: () => string;
  readonly version: string;
  /** Names by which it is called, besides those of this machine. */
  readonly hosts?: readonly string[];
  readonly readOnly?: boolean;
}

/** By which it came. */
export type Door = Pick<Asking, "inside" | "secure">;

export const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
const BASE = "http://mob";
/** Besides the time that a method waits. */
const BESIDE_MS = 2_000;

const signIn = z.strictObject({ ticket: z.string().min(1).max(256).optional() });
const streamTicket = z.strictObject({ path: z.string().max(1_024), query: z.string().max(8_192).default("") });
const stream = z.strictObject({ ...hearing, snapshot: z.boolean().optional(), after: z.string().optional(), ticket: z.string().optional() });

export class Front {
  readonly #parts: FrontParts;
  readonly #doors: Doors;
  readonly #credentials: Credentials;
  readonly #streams: Streams;
  readonly #metrics: Metrics;
  readonly #ending = new AbortController();
  #working = 0;
  #openapi: string | undefined;

  constructor(parts: FrontParts) {
    this.#parts = parts;
    const report = (error: unknown): string => {
      const id = parts.newErrorId();
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      parts.log.write({ level: "error", target: "http", msg: "a request failed inside", fields: { error_id: id, error: text } });
      return id;
    };
    this.#doors = { served: parts.served, readOnly: parts.readOnly ?? false, report };
    const { limits, ledger, clock, rights } = parts.served;
    this.#credentials = new Credentials({ ...parts, clock, limits });
    this.#metrics = new Metrics({ ...parts.served, mob: parts.served.definition().mob.id, log: parts.log });
    this.#streams = new Streams({ ledger, clock, rights, limits, figures: () => this.#metrics.now() });
  }

  get streams(): number {
    return this.#streams.size;
  }

  newLinkTicket(): string {
    return this.#credentials.newLinkTicket();
  }

  close(): void {
    this.#ending.abort("shutting_down");
    this.#metrics[Symbol.dispose]();
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse, door: Door): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort(mobError("mob.interrupted", "the caller has gone")));
    response.on("error", () => gone.abort(mobError("mob.interrupted", "the caller has gone")));
    try {
      await this.#route(request, response, { gone: gone.signal, door });
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

  async #route(request: IncomingMessage, response: ServerResponse, { gone, door }: { readonly gone: AbortSignal; readonly door: Door }): Promise<void> {
    const { headers, socket, method: verb = "GET", url = "" } = request;
    if (!URL.canParse(url, BASE)) throw mobError("mob.invalid_request", "this is no address");
    const { pathname: path, searchParams: query } = new URL(url, BASE);
    this.#checkHost(headers.host);
    if (path === "/healthz" && verb === "GET") return void response.writeHead(200, { "content-type": "text/plain" }).end("ok");
    const file = verb === "GET" ? findFile(path) : undefined;
    if (file !== undefined) return sendFile(response, file);
    const asking: Asking = { verb, path, query, headers, port: socket.localPort ?? 0, ...door };
    // Who signs in is not known yet.
    const who = path === "/v1/session" && verb === "POST" ? undefined : await this.#credentials.authenticate(asking);
    if (who !== undefined && path === STREAM_PATH && verb === "GET") return this.#stream(request, response, { who, query, gone });
    const { requestsMax } = this.#parts.served.limits;
    if (this.#working >= requestsMax) {
      throw mobError("mob.overloaded", `${requestsMax} requests are in work`, { retry_after_ms: 1_000, facts: { limit: requestsMax } });
    }
    this.#working += 1;
    try {
      if (who === undefined) await this.#signIn(request, response, asking);
      else await this.#serve(request, response, { who, asking, gone });
    } finally {
      this.#working -= 1;
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse, o: { readonly who: Principal; readonly asking: Asking; readonly gone: AbortSignal }): Promise<void> {
    const { who, asking } = o;
    switch (`${asking.verb} ${asking.path}`) {
      case "GET /openapi.json":
        this.#openapi ??= JSON.stringify(toOpenApi(this.#parts.version));
        return void response.writeHead(200, { "content-type": "application/json" }).end(this.#openapi);
      case "GET /readyz": {
        this.#check(who, "mob.view");
        const readiness = readinessOf(this.#parts.served);
        return reply(response, readiness.ready ? 200 : 503, readiness);
      }
      case "GET /metrics": {
        this.#check(who, "mob.view");
        const { size: streams, lag } = this.#streams;
        return void response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" })
          .end(this.#metrics.text({ requests: this.#working, streams, lag }));
      }
      case "DELETE /v1/session":
        response.setHeader("set-cookie", this.#credentials.signOut(asking));
        return void response.writeHead(204).end();
      case "POST /v1/stream-tickets": {
        const { path, query } = readParams(streamTicket, await this.#body(request));
        return reply(response, 200, this.#credentials.newStreamTicket(who, path, query));
      }
      default: return this.#call(request, response, o);
    }
  }

  async #call(request: IncomingMessage, response: ServerResponse, { who, asking, gone }: {
    readonly who: Principal; readonly asking: Asking; readonly gone: AbortSignal;
  }): Promise<void> {
    const { clock, limits } = this.#parts.served;
    const { verb, path, query } = asking;
    const rpc = path === "/v1/rpc" && verb === "POST";
    const found = rpc || !path.startsWith("/v1/") ? undefined : findRoute(verb, path.slice("/v1".length));
    if (!rpc && found === undefined) throw nothingAt(verb, path);
    const signal = AbortSignal.any([gone, this.#ending.signal]);
    if (found !== undefined && hasBytes(found.method, request)) {
      const calling = { ...found, who, signal, deadlineMs: readDeadline(query.get(DEADLINE)), traceparent: traceOf(request) };
      if (verb === "GET") return await download({ request, response }, this.#doors, calling);
      return reply(response, 200, await upload(request, this.#doors, calling));
    }
    const body = verb === "GET" ? "" : await this.#body(request);
    const ms = rpc || found?.method.waits === true ? limits.pollMs + BESIDE_MS : limits.requestMs;
    const act = async (until: AbortSignal): Promise<void> => {
      const calling = { who, signal: until, traceparent: traceOf(request) };
      if (found === undefined) {
        const answer = await answerRpc(body, this.#doors, calling);
        return answer === undefined ? void response.writeHead(204).end() : reply(response, 200, answer);
      }
      const asked = new URLSearchParams(query);
      const own = verb === "GET" && hasOwnDeadline(found.method);
      if (!own) asked.delete(DEADLINE);
      const params = withKeys(verb === "GET" ? readQuery(asked, found.method.params) : readJson(body), found.keys);
      reply(response, 200, await callMethod(this.#doors, found.method, { ...calling, params, deadlineMs: own ? undefined : readDeadline(query.get(DEADLINE)) }));
    };
    await inTime(act, { clock, ms, signal, writes: verb !== "GET" }).catch((error: unknown) => {
      if (this.#ending.signal.aborted && !isFault(error)) throw mobError("mob.shutting_down", "the mob is stopping");
      throw error;
    });
  }

  async #signIn(request: IncomingMessage, response: ServerResponse, asking: Asking): Promise<void> {
    const { ticket } = readParams(signIn, await this.#body(request));
    const { who, cookie, expires_at_ms } = await this.#credentials.signIn(asking, ticket);
    response.setHeader("set-cookie", cookie);
    reply(response, 200, { principal: who.id, role: who.role, local: who.local, expires_at_ms });
  }

  async #stream(request: IncomingMessage, response: ServerResponse, { who, query, gone }: {
    readonly who: Principal; readonly query: URLSearchParams; readonly gone: AbortSignal;
  }): Promise<void> {
    const { topics: asked, after, snapshot, ticket: _, ...filter } = readParams(stream, readQuery(query, stream));
    const topics = readTopics(asked);
    const hearing = (): Hearing => toHearing({ topics, filter: filter as EntryFilter }, who, this.#parts.served);
    const last = request.headers["last-event-id"];
    const goesOn = typeof last === "string" && last !== "";
    await this.#streams.tell(response, {
      // Whoever goes on has had what it began with.
      who, hearing, ...goesOn ? { after: last } : { after, snapshot }, signal: AbortSignal.any([gone, this.#ending.signal]),
    });
  }

  #check(who: Principal, action: string): void {
    if (!this.#parts.served.rights.of(who, action).mob) throw deniedError(who, action);
  }

  #body(request: IncomingMessage): Promise<string> {
    const { clock, limits } = this.#parts.served;
    // Whoever begins to speak and does not go on has no place among those who work.
    return inTime(() => readBody(request, limits.jsonBytesMax), { clock, ms: limits.requestMs, signal: this.#ending.signal, writes: false });
  }

  /** A page of another site that was given our address by its name server is not answered. */
  #checkHost(host = ""): void {
    const name = host.replace(/:\d+$/, "").toLowerCase();
    if (LOOPBACK.includes(name) || this.#parts.hosts?.includes(name) === true) return;
    throw mobError("mob.denied", `this is not ${JSON.stringify(host)}`, { facts: { host }, hint: "Name it in http.hosts when it is." });
  }
}

function nothingAt(verb: string, path: string): MobError {
  const near = nearestRoute(verb, path);
  return mobError("mob.method_unknown", `there is nothing at ${verb} ${path}`, { facts: { path }, ...near === undefined ? {} : { hint: `Did you mean ${near}?` } });
}

/** Throws `mob.invalid_params`, `mob.parse`. */
function readParams<S extends z.ZodObject>(schema: S, text: string | object): z.output<S> {
  const given = typeof text === "string" ? readJson(text) : text;
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  throw invalidParams({ schema, issues: read.error.issues, given });
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json", "content-length": Buffer.byteLength(text), "cache-control": "no-store", "x-content-type-options": "nosniff",
  });
  response.end(text);
}
