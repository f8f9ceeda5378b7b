/** One place where requests come in: a socket, how many of them there may be, and how it ends (spec: mob 11.8, 11.11). */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { BlockList, isIPv6, type AddressInfo, type Socket } from "node:net";
import { withDeadline, type Clock } from "@atoll-run/core";
import { apart } from "../apart.ts";
import { mobError } from "../errors.ts";
import type { MobLimits } from "../limits.ts";

export interface Tls {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface DoorParts {
  readonly host: string;
  readonly port: number;
  readonly tls?: Tls | undefined;
  /** Whoever else comes is not listened to. Absent: everybody is. */
  readonly from?: BlockList | undefined;
  readonly clock: Clock;
  readonly limits: Pick<MobLimits, "headerBytesMax" | "requestMs">;
}

export interface OpenDoor {
  readonly port: number;
  /** Waits for what is being answered, two seconds at most. */
  close(): Promise<void>;
}

const CLOSE_MS = 2_000;

/** Throws `mob.unavailable` when the port cannot be had. */
export async function openDoor(parts: DoorParts, answer: RequestListener): Promise<OpenDoor> {
  const { host, port, tls, from, clock, limits: { headerBytesMax, requestMs } } = parts;
  const o = { maxHeaderSize: headerBytesMax, requestTimeout: requestMs, headersTimeout: requestMs };
  const server: Server = tls === undefined ? createServer(o, answer) : createTlsServer({ ...o, ...tls, minVersion: "TLSv1.2" }, answer);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    if (from !== undefined && !isFrom(from, socket.remoteAddress)) return void socket.destroy();
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("clientError", (_, socket) => socket.destroy());
  const bound = await apart(() => listen(server, { host, port }));
  return {
    port: bound,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      await withDeadline(() => closed, { clock, ms: CLOSE_MS, what: "closing http" }).catch(() => undefined);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Addresses, and ranges as `10.0.0.0/8`. Throws `mob.invalid_params` for what is neither. */
export function readRanges(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = "", bits] = text.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    try {
      if (bits === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(bits), family);
    } catch (cause) {
      throw mobError("mob.invalid_params", `${JSON.stringify(text)} is no address of a proxy: write 10.0.0.7 or 10.0.0.0/8`, { cause, facts: { path: "http.trusted_proxies" } });
    }
  }
  return list;
}

function isFrom(list: BlockList, address = ""): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "");
  return list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
}

async function listen(server: Server, at: { readonly host: string; readonly port: number }): Promise<number> {
  server.listen(at.port, at.host.replace(/^\[|\]$/g, ""));
  try {
    await once(server, "listening");
  } catch (error) {
    throw mobError("mob.unavailable", `port ${at.port} cannot be had: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error, facts: { what: "port", port: at.port }, hint: "Another mob or program has it, or may have it alone: take another one; 0 is any that is free (--port, or port of [http] in atoll.toml).",
    });
  }
  return (server.address() as AddressInfo).port;
}
