/**
 * `node:http` in front of the method table (spec: mob 11): the one adapter between sockets and the mob.
 *
 * takes requests; gives answers and streams; promises that nobody but a known principal gets further than `/healthz`;
 * refuses what is too large, too much or for another host, and to be heard beyond this machine without knowing who speaks and that nobody
 * listens in; never lets a reader hold up the mob.
 */
import { mobError, type MobError } from "../errors.ts";
import { openDoor, readRanges, type OpenDoor, type Tls } from "./door.ts";
import { Front, LOOPBACK, type FrontParts } from "./front.ts";
import type { OidcConfig } from "./oidc.ts";

export interface HttpParts extends Omit<FrontParts, "oidc"> {
  /** Default `127.0.0.1`. Beyond this machine: with `oidc`, and with `tls` or a proxy in `trustedProxies`. */
  readonly host?: string | undefined;
  /** 0 = any free one. */
  readonly port: number;
  readonly oidc?: OidcConfig | undefined;
  readonly tls?: Tls | undefined;
  /** Addresses and ranges: who else comes to a plain door beyond this machine is not listened to. */
  readonly trustedProxies?: readonly string[] | undefined;
}

export interface HttpServer {
  /** For programs of this machine; the token of this machine counts there alone. */
  readonly url: string;
  readonly port: number;
  /** For everybody else; undefined: it is heard on this machine only. */
  readonly beyond: string | undefined;
  /** Streams that are open. */
  readonly streams: number;
  /** Address of the console that signs in whoever opens it first, as who has the token of this machine; for ten minutes. */
  link(): string;
  /** Streams are told `bye`. */
  close(): Promise<void>;
}

/** Throws `mob.unavailable` when the port cannot be had, `mob.invalid_params` for a host beyond this machine without what it needs. */
export async function serveHttp(parts: HttpParts): Promise<HttpServer> {
  const { host = "127.0.0.1", port, hosts = [], tls, trustedProxies } = parts;
  const near = LOOPBACK.includes(host);
  if (!near) checkBeyond(host, parts);
  const proxies = trustedProxies === undefined ? undefined : readRanges(trustedProxies);
  const { clock, limits } = parts.served;
  const front = new Front({ ...parts, oidc: parts.oidc === undefined ? undefined : await knowing(parts.oidc, parts) });
  const doors: OpenDoor[] = [];
  const close = async (): Promise<void> => {
    front.close();
    await Promise.all(doors.map((door) => door.close()));
  };
  try {
    const open = async (at: { readonly host: string; readonly port: number }, inside: boolean): Promise<string> => {
      const outer = inside ? {} : { tls, from: tls === undefined ? proxies : undefined };
      const door = await openDoor({ ...at, ...outer, clock, limits }, (request, response) => {
        // A plain door beyond this machine stands behind a proxy that has TLS.
        void front.answer(request, response, { inside, secure: !inside });
      });
      doors.push(door);
      return `${at.host}:${door.port}`;
    };
    // Programs of this machine have a door of their own then.
    const own = await open(near ? { host, port } : { host: "127.0.0.1", port: 0 }, true);
    const outer = near ? undefined : await open({ host, port }, false);
    const [named = host] = hosts;
    return {
      url: `http://${own}`, port: (doors.at(-1) as OpenDoor).port,
      beyond: outer === undefined ? undefined : `https://${named}${tls === undefined ? "" : `:${(doors.at(-1) as OpenDoor).port}`}`,
      get streams() {
        return front.streams;
      },
      link: () => `http://${own}/console/#ticket=${front.newLinkTicket()}`, close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The library is loaded where it is used only. */
async function knowing(config: OidcConfig, { served: { clock, definition } }: Pick<HttpParts, "served">): Promise<FrontParts["oidc"]> {
  if (definition().access === null) throw wrong("http.oidc_issuer", "whom an issuer knows may nothing without rules", "Say who may what in [access] of the definition.");
  const { Oidc } = await import("./oidc.ts");
  return new Oidc(config, clock);
}

function checkBeyond(host: string, { oidc, tls, trustedProxies = [] }: HttpParts): void {
  if (oidc === undefined) {
    throw wrong("http.host", `${host} is beyond this machine, and the token of this machine does not count there`, "Set http.oidc_issuer, so that it is known who comes, or listen on 127.0.0.1.");
  }
  if (tls === undefined && trustedProxies.length === 0) {
    throw wrong("http.host", `on ${host} anybody could read along`, "Set http.tls_cert and http.tls_key, or name the proxy that has TLS in http.trusted_proxies.");
  }
}

function wrong(path: string, text: string, hint: string): MobError {
  return mobError("mob.invalid_params", `${path}: ${text}`, { facts: { path }, hint });
}
