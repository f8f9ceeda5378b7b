/**
 * A mob's HTTP surface on this machine.
 * takes a mob and where its state lies; gives an address; promises that the token of this machine is readable by its owner only;
 * refuses a port in use; never prints or logs a token.
 */
import { mkdir, open, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MOB_LIMITS, mobError, type MobRooms } from "@atoll-run/mob";
import { createIds, hashToken, Rights, serveHttp, type HttpServer, type OidcConfig, type Role } from "@atoll-run/mob/internal";
import { systemClock } from "./clock.ts";
import { tellAddress, TOKEN_FILE } from "./mob-address.ts";
import type { Env } from "./place.ts";
import { randomOf } from "./random.ts";

export interface ServeMobOptions {
  /** Folder of the state: `http.token` lies there, and `mob.json` with the address while it is served. Without it the token of this machine lives as long as the server. */
  readonly dir?: string;
  /** Default `127.0.0.1`. Beyond this machine: with `oidc`, and with `tls` or `trustedProxies`. */
  readonly host?: string;
  /** An OpenID provider: who comes with a token of it is known by it, and may what `access` of the definition says. */
  readonly oidc?: OidcConfig;
  /** PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Addresses and ranges of proxies that have TLS: from elsewhere nobody is listened to. */
  readonly trustedProxies?: readonly string[];
  /** Default 7411; 0 = any free one. */
  readonly port?: number;
  /** Names by which it is called, besides those of this machine. */
  readonly hosts?: readonly string[];
  /** Refuses every writing method. */
  readonly readOnly?: boolean;
  /** Besides that of this machine. */
  readonly tokens?: readonly { readonly token: string; readonly principal: string; readonly role?: Role; readonly groups?: readonly string[]; readonly readOnly?: boolean }[];
  /** How to end the process, or whatever runs the mob, when an admin asks for it (`lifecycle/down`): begins it, and returns. */
  readonly down?: (principal: string) => void;
  readonly env?: Env;
}

export interface ServedMob extends HttpServer, AsyncDisposable {
  /** The token of this machine: principal `local`, an admin. */
  readonly token: string;
}

const TOKEN_BYTES = 32;
const PORT = 7_411;

/** It ends with the mob, after its members; `close` ends it before. Throws `mob.unavailable` for a port that cannot be had. */
export async function serveMob({ rooms: mob }: { readonly rooms: MobRooms }, o: ServeMobOptions = {}): Promise<ServedMob> {
  const { clock = systemClock, bytes = randomOf, log = { write: () => undefined } } = o.env ?? {};
  const token = o.dir === undefined ? newToken(bytes) : await tokenOf(resolve(o.dir), bytes);
  const newId = createIds({ clock, bytes });
  let stopping = false;
  const down = (principal: string): void => {
    if (stopping) return;
    stopping = true;
    // Whoever asks reads his answer before doors close.
    setImmediate(() => o.down?.(principal));
  };
  const http = await serveHttp({
    served: {
      ...mob, limits: { ...MOB_LIMITS, ...mob.definition().limits }, rights: new Rights({ rules: () => mob.definition().access, view: mob.view }), lifecycle: { stopping: () => stopping || mob.shutdown.begun, ...o.down === undefined ? {} : { down } }, clock,
    }, log, bytes, newErrorId: () => newId("e"), version: "1",
    host: o.host, oidc: o.oidc, tls: o.tls, trustedProxies: o.trustedProxies, port: o.port ?? PORT, hosts: o.hosts ?? [], readOnly: o.readOnly ?? false,
    tokens: [
      { sha256: hashToken(token), principal: "local", role: "admin", local: true },
      ...(o.tokens ?? []).map(({ token: own, readOnly = false, ...who }) => ({ ...who, sha256: hashToken(own), read_only: readOnly })),
    ],
  });
  let untell: (() => Promise<void>) | undefined;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => closing ??= (async () => {
    await untell?.();
    await http.close();
    attached[Symbol.dispose]();
  })();
  const attached = mob.attach({ name: "http", end: close });
  try {
    if (o.dir !== undefined) untell = await tellAddress(resolve(o.dir), { mob: mob.definition().mob.id, url: http.url, pid: process.pid });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    token, port: http.port, url: http.url, beyond: http.beyond, link: () => http.link(), close, [Symbol.asyncDispose]: close,
    get streams() {
      return http.streams;
    },
  };
}

/** The same at each start. */
async function tokenOf(dir: string, bytes: (count: number) => Uint8Array): Promise<string> {
  const path = join(dir, TOKEN_FILE);
  await mkdir(dir, { recursive: true });
  try {
    const file = await open(path, "wx", 0o600);
    try {
      const token = newToken(bytes);
      await file.writeFile(token);
      await file.sync();
      return token;
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const known = (await readFile(path, "utf8")).trim();
  if (Buffer.from(known, "base64url").length === TOKEN_BYTES) return known;
  throw mobError("mob.unavailable", `${path} is no token`, { facts: { what: "token", path }, hint: "Delete it: a new one is made at the next start.", retry: "never" });
}

function newToken(bytes: (count: number) => Uint8Array): string {
  return Buffer.from(bytes(TOKEN_BYTES)).toString("base64url");
}
