/**
 * One HTTP client of one block; the only file that knows the HTTP library. takes requests of a single hop;
 * gives answers with their bodies as bytes, undecoded; promises that a connection goes only to an address
 * that its gate allowed for that very name and port, and that nothing of it is left after `close`; refuses by
 * waiting when too many requests are open; never follows redirects, reads proxy settings or keeps cookies.
 */
import { lookup } from "node:dns/promises";
import { isIP, type LookupFunction, type Socket } from "node:net";
import type { BlockLimits } from "@atoll-run/core";
import { Agent, buildConnector } from "undici";
import type { GrantGate } from "../../grants/gate.ts";
import { Slots } from "../../slots.ts";

/** Header names and values in the order they are sent or came. */
export type HeaderList = readonly (readonly [string, string])[];

export interface HttpSend {
  readonly method: string;
  readonly url: URL;
  /** Values are bytes, one per character (Latin-1). */
  readonly headers: HeaderList;
  readonly body?: string | Uint8Array | undefined;
}

export interface HttpReply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: HeaderList;
  /**
   * As it came, at the pace of the reader. Read to its end or call `close`: until then the request counts as
   * open.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go: what was not read drops the connection. */
  close(): void;
}

/** What `http.*`, MCP over HTTP and model calls send through. */
export interface HttpClient extends AsyncDisposable {
  /**
   * One hop. Throws what the gate throws, the signal's reason, or the error of the network; see
   * `isConnectError`.
   */
  send(request: HttpSend, o: { readonly signal: AbortSignal }): Promise<HttpReply>;
}

/** Addresses of a name, best first. Throws when there are none. */
export type Resolver = (hostname: string) => Promise<readonly string[]>;

export interface HttpClientParts {
  readonly gate: Pick<GrantGate, "url">;
  readonly resolver?: Resolver;
  /** Certificates to trust instead of the usual ones, PEM. */
  readonly ca?: string;
}

/** Requests open at once; milliseconds to connect. */
export type HttpClientLimits = Pick<BlockLimits, "httpOpenMax" | "httpMs">;

const connectErrors = new WeakSet<object>();

/** True when no connection came about: nothing was sent. */
export function isConnectError(error: unknown): boolean {
  return typeof error === "object" && error !== null && connectErrors.has(error);
}

/** Makes a client; connections begin with the first request. Close it with its block. */
export function createHttpClient(parts: HttpClientParts, limits: HttpClientLimits): HttpClient {
  const sockets = new Set<Socket>();
  const waiting = new Map<string, number>();
  const wait = (origin: string, by: 1 | -1): void =>
    void waiting.set(origin, (waiting.get(origin) ?? 0) + by);
  const isWanted = (origin: string): boolean => (waiting.get(origin) ?? 0) > 0;
  const slots = new Slots({ what: "HTTP requests", limit: limits.httpOpenMax });
  const closing = new AbortController();
  const connect = createConnect(parts, limits, { sockets, isWanted });
  const agent = new Agent({ connect, headersTimeout: 0, bodyTimeout: 0 });
  return {
    async send(request, { signal }) {
      const life = AbortSignal.any([signal, closing.signal]);
      const place = await slots.take({ signal: life });
      const { origin } = request.url;
      wait(origin, 1);
      try {
        const { statusCode, headers, body } = await agent.request({
          origin, path: request.url.pathname + request.url.search,
          method: request.method as "GET", headers: request.headers.flat(), body: request.body ?? null,
          signal: life, responseHeaders: "raw",
        });
        body.once("close", () => place[Symbol.dispose]());
        // Whoever lets go early is told nothing more.
        body.on("error", () => undefined);
        return {
          status: statusCode, headers: pairs(headers as unknown as readonly string[]), body,
          close: () => void body.destroy(),
        };
      } catch (error) {
        place[Symbol.dispose]();
        throw error;
      } finally {
        wait(origin, -1);
        if (!isWanted(origin)) waiting.delete(origin);
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error("the HTTP client is closed"));
      const ended = agent.destroy();
      for (const socket of sockets) socket.destroy();
      await ended;
    },
  };
}

function pairs(flat: readonly string[]): HeaderList {
  const list: [string, string][] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    list.push([String(flat[at]).toLowerCase(), String(flat[at + 1])]);
  }
  return list;
}

interface Connections {
  readonly sockets: Set<Socket>;
  /**
   * Does a request wait for this origin? The library connects again for a request that was just cancelled.
   */
  isWanted(origin: string): boolean;
}

/** Resolves, checks every address, and hands only those that passed to the connector of the library. */
function createConnect(
  parts: HttpClientParts, limits: HttpClientLimits, { sockets, isWanted }: Connections,
): buildConnector.connector {
  const resolver = parts.resolver ?? systemResolver;
  const timeout = Number.isFinite(limits.httpMs) ? limits.httpMs : 0;
  const ca = parts.ca === undefined ? {} : { ca: parts.ca };
  const open = async (options: buildConnector.Options): Promise<Socket> => {
    const url = urlOf(options);
    if (!isWanted(url.origin)) throw new Error("the request is over");
    const addresses = await addressesOf(url, options.hostname, parts.gate, resolver);
    if (!isWanted(url.origin)) throw new Error("the request is over");
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    const answer: LookupFunction = (_name, o, give) => {
      if (o.all === true) give(null, found);
      else give(null, found[0]?.address ?? "", found[0]?.family);
    };
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const connector = buildConnector(
      { ...ca, timeout, lookup: answer, autoSelectFamily: true } as buildConnector.BuildOptions,
    );
    // The library gives the socket it works on as well, which its types do not say.
    const socket = connector(
      options, (error, connected) => error ? reject(error) : resolve(connected),
    ) as unknown as Socket;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const connected = await promise;
    if (isWanted(url.origin)) return connected;
    connected.destroy();
    throw new Error("the request is over");
  };
  return (options, give) => {
    open(options).then((socket) => give(null, socket), (error: unknown) => {
      const known = error instanceof Error ? error : new Error(String(error));
      connectErrors.add(known);
      give(known, null);
    });
  };
}

function urlOf({ protocol, hostname, port }: buildConnector.Options): URL {
  const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
  return new URL(`${protocol}//${host}${port ? `:${port}` : ""}/`);
}

async function addressesOf(
  url: URL, hostname: string, gate: Pick<GrantGate, "url">, resolver: Resolver,
): Promise<readonly string[]> {
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const rule = gate.url(url);
  const all = isIP(hostname) === 0 ? await resolver(hostname) : [hostname];
  const passed: string[] = [];
  let denial: unknown;
  for (const address of all) {
    try {
      rule.address(address, port);
      passed.push(address);
    } catch (error) {
      denial ??= error;
    }
  }
  if (passed.length > 0) return passed;
  throw denial ?? new Error(`${hostname} has no address`);
}

async function systemResolver(hostname: string): Promise<readonly string[]> {
  return (await lookup(hostname, { all: true, order: "verbatim" })).map(({ address }) => address);
}
