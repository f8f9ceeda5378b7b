/**
 * Where others knock (spec: node 6.3, 6.4, 8.6; wire 6.5).
 * takes connections; gives those whose owner is proved; promises that each is judged in its own task, within its time;
 * refuses by status before the upgrade and by close code after it; never lets a stranger hold more than a few KiB.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket as RawSocket } from "node:net";
import { isFault, nodeError, type Clock, type Fault } from "@atoll-run/core";
import type { LimitsOf } from "../../limits.ts";
import { accept, type AcceptParts, type Came, type Knock } from "./accept.ts";
import { Attempt } from "./attempt.ts";
import { closeCode, refuse } from "./refusal.ts";
import type { Standing } from "./standing.ts";
import type { Socket } from "./ws.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0 = any that is free. */
  readonly port: number;
  /** PEM. With it `wss`, at least TLS 1.2. */
  readonly tls?: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array } | undefined;
  /** What others are told to dial: a host, a host with its port, or a whole URL; default the bound place. */
  readonly advertise?: string | undefined;
  /** Values of `Origin` whose pages may use the in-band form; `*` = all. */
  readonly origins?: readonly string[] | undefined;
}

export interface ListenerParts extends Omit<AcceptParts, "origins"> {
  readonly clock: Clock;
  readonly standing: Standing;
  readonly came: (came: Came) => void;
  readonly refused: (fault: Fault, remote: string | undefined) => void;
}

type Door = "closed" | "open" | "shut";

export class Listener implements AsyncDisposable {
  readonly address: string;
  readonly #parts: ListenerParts & AcceptParts;
  readonly #limits: LimitsOf<"wire">;
  readonly #server: Server;
  readonly #raw = new Set<RawSocket>();
  /** Handshakes that run, and how each is given up. */
  readonly #judged = new Map<Attempt, Promise<void>>();
  readonly #forget: (this: RawSocket) => void;
  #door: Door = "closed";

  private constructor(server: Server, parts: ListenerParts, o: { readonly listen: ListenOptions; readonly limits: LimitsOf<"wire"> }) {
    this.#server = server;
    this.#parts = { ...parts, origins: o.listen.origins ?? [] };
    this.#limits = o.limits;
    this.address = addressOf(o.listen, server.address() as AddressInfo);
    const raw = this.#raw;
    this.#forget = function () {
      raw.delete(this);
    };
    server.on("connection", (socket: RawSocket) => this.#track(socket));
    server.on("upgrade", (request, socket, head) => {
      const shut = this.#shutDoor();
      if (shut !== undefined) return this.#refuse(socket as RawSocket, shut);
      const attempt = new Attempt(parts.clock, { ms: this.#limits.handshakeMsMax, late: tooLong });
      this.#judged.set(attempt, this.#judge({ request, socket, head }, attempt).finally(() => this.#judged.delete(attempt)));
    });
  }

  /** Binds. Throws `node.bind_failed`. */
  static async open(parts: ListenerParts, o: { readonly listen: ListenOptions; readonly limits: LimitsOf<"wire"> }): Promise<Listener> {
    const { tls, host, port } = o.listen;
    const bounds = {
      headersTimeout: o.limits.handshakeMsMax, requestTimeout: o.limits.handshakeMsMax, connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 1, maxHeaderSize: 32_768,
    };
    const handshake = { minVersion: "TLSv1.2", handshakeTimeout: o.limits.handshakeMsMax } as const;
    const answer = (_request: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(426, { "Connection": "close, Upgrade", "Upgrade": "websocket", "Content-Length": 0 }).end();
    };
    const toPem = (pem: string | Uint8Array): string | Buffer => typeof pem === "string" ? pem : Buffer.from(pem);
    const server: Server = tls === undefined ? createServer(bounds, answer)
      : createTlsServer({ ...bounds, ...handshake, cert: toPem(tls.cert), key: toPem(tls.key) }, answer);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen({ host, port }, resolve);
    try {
      await promise;
    } catch (error) {
      throw nodeError("node.bind_failed", `cannot listen on ${host}:${port}: ${(error as Error).message}`, { cause: error });
    }
    server.removeListener("error", reject);
    // Descriptors may run out for a while: what knocks meanwhile is lost, the listener is not.
    server.on("error", (error) => parts.refused(nodeError("node.unavailable", error.message, { cause: error }), undefined));
    return new Listener(server, parts, o);
  }

  open(): void {
    if (this.#door === "closed") this.#door = "open";
  }

  shut(): void {
    this.#door = "shut";
  }

  /** Gives up all handshakes: nobody comes in afterwards. */
  async stop(): Promise<void> {
    this.shut();
    const judged = [...this.#judged.values()];
    for (const attempt of this.#judged.keys()) attempt.abort(nodeError("node.draining", "this node is closing"));
    await Promise.all(judged);
  }

  /** Unbinds; what is still connected is broken. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    for (const socket of this.#raw) socket.destroy();
    await closed.promise;
  }

  /** Also those that have not asked for anything yet hold a descriptor: they are bounded too. */
  #track(socket: RawSocket): void {
    if (this.#raw.size >= this.#limits.connectionsMax + this.#limits.connectionsBurst) {
      socket.destroy();
      return;
    }
    this.#raw.add(socket);
    socket.on("close", this.#forget);
  }

  async #judge(knock: Knock, attempt: Attempt): Promise<void> {
    const raw = knock.socket as RawSocket;
    const left = (): void => attempt.abort(nodeError("node.unavailable", "the other end has left"));
    raw.on("error", left);
    raw.on("close", left);
    let socket: Socket | undefined;
    try {
      using _attempt = this.#parts.standing.attempt();
      const upgraded = (one: Socket): void => {
        socket = one;
        // From here on whoever waits for a message of it hears that it has left; what it sent before still counts.
        raw.removeListener("close", left);
      };
      const came = await attempt.run(() => accept(this.#parts, knock, { attempt, upgraded }));
      if (came.socket.readyState !== came.socket.OPEN && came.early.length === 0) throw nodeError("node.unavailable", "the other end has left");
      this.#parts.came(came);
    } catch (error) {
      const fault = toFault(error);
      if (socket !== undefined) {
        socket.close(closeCode(fault), fault.code);
        socket.resume();
        this.#parts.refused(fault, raw.remoteAddress);
      } else this.#refuse(raw, fault);
    } finally {
      raw.removeListener("close", left);
      if (socket !== undefined) raw.removeListener("error", left);
    }
  }

  /** Before the upgrade. */
  #refuse(raw: RawSocket, fault: Fault): void {
    const { remoteAddress } = raw;
    raw.on("error", ignore);
    if (!raw.destroyed) refuse(raw, fault);
    this.#parts.refused(fault, remoteAddress);
  }

  /** Why nobody may come in now. Of a crowd most are refused here: it costs no more than this. */
  #shutDoor(): Fault | undefined {
    const { standing } = this.#parts;
    const after = { retry_after_ms: this.#limits.retryAfterMs };
    if (this.#door === "shut") return nodeError("node.draining", "this node is closing", after);
    if (this.#door === "closed") return nodeError("node.unavailable", "this node is not open yet", after);
    const waitMs = standing.arrive();
    if (waitMs > 0) return nodeError("node.overloaded", "too many new connections", { retry_after_ms: waitMs });
    return standing.full ? nodeError("node.unavailable", "too many connections", after) : undefined;
  }
}

function toFault(error: unknown): Fault {
  return isFault(error) ? error : nodeError("node.internal", "the handshake failed", { cause: error });
}

function ignore(): void {}

function tooLong(): Fault {
  return nodeError("node.timed_out", "the handshake took too long");
}

function addressOf({ host, tls, advertise }: ListenOptions, { port }: AddressInfo): string {
  if (advertise?.includes("://")) return advertise;
  const name = advertise ?? host;
  const bare = name.includes(":") && !name.startsWith("[") && name.split(":").length > 2 ? `[${name}]` : name;
  const place = /\]?:\d+$/.test(bare) && !bare.endsWith("]") ? bare : `${bare}:${port}`;
  return `${tls === undefined ? "ws" : "wss"}://${place}/`;
}
