/**
 * Who asks (spec: mob 11.8, 11.9).
 *
 * takes what a request brings along; gives its principal; promises that a ticket counts once and for what it was made for, that
 * only hashes of what counts are kept, and that a page of another site can do nothing with a cookie; refuses credentials in an
 * address; never says which part of one was wrong.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import type { MobLimits } from "../limits.ts";
import { stranger, type Principal, type Token } from "./access.ts";
import type { Oidc } from "./oidc.ts";

export interface CredentialsParts {
  readonly tokens: readonly Token[];
  /** Knows all others. */
  readonly oidc?: Oidc | undefined;
  readonly clock: Clock;
  readonly bytes: (count: number) => Uint8Array;
  readonly limits: Pick<MobLimits, "sessionMs" | "sessionsMax" | "linkMs" | "streamTicketMs" | "ticketsMax">;
}

export interface Asking {
  readonly verb: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Port of this server: cookies of one host are not kept apart by port, so that their names are. */
  readonly port: number;
  /** It came by the door of this machine. */
  readonly inside: boolean;
  /** Nobody could read it on its way. */
  readonly secure: boolean;
}

export interface Session {
  readonly who: Principal;
  readonly expires_at_ms: number;
}

interface Ticket extends Session {
  /** Absent: for a session. Else path and query of the one stream it opens. */
  readonly at?: string;
  used: boolean;
}

/** Names of a query under which a credential may have been put. */
const CREDENTIALS = ["access_token", "token", "authorization", "api_key", "ticket"];
const SECRET_BYTES = 32;
export const STREAM_PATH = "/v1/stream";

export class Credentials {
  readonly #parts: CredentialsParts;
  /** By hash. */
  readonly #sessions = new Map<string, Session>();
  readonly #tickets = new Map<string, Ticket>();

  constructor(parts: CredentialsParts) {
    this.#parts = parts;
  }

  /** Throws `mob.unauthenticated {reason}`, `mob.token_in_query`, `mob.denied` for a page of somebody else. */
  async authenticate(asking: Asking): Promise<Principal> {
    const who = await this.#known(asking);
    if (who.local && !asking.inside) throw stranger("invalid_token");
    return who;
  }

  async #known(asking: Asking): Promise<Principal> {
    const { path, verb, query, headers: { authorization } } = asking;
    const stream = path === STREAM_PATH && verb === "GET";
    const leaked = CREDENTIALS.find((name) => query.has(name) && !(stream && name === "ticket"));
    if (leaked !== undefined) {
      throw mobError("mob.token_in_query", `a credential does not belong into an address: ${leaked}`, {
        hint: "Send it as `Authorization: Bearer …`, and make a new one.",
      });
    }
    const ticket = query.get("ticket");
    if (ticket !== null) return this.#redeem(ticket, addressOf(path, query));
    if (authorization !== undefined) return this.#bearer(authorization);
    const cookie = readCookie(asking);
    if (cookie === undefined) throw stranger("missing_credentials");
    const session = this.#sessions.get(hash(cookie));
    if (session === undefined) throw stranger("invalid_token");
    if (session.expires_at_ms <= this.#now) throw stranger("expired");
    if (verb !== "GET") checkOwnPage(asking);
    return { ...session.who, until_ms: session.expires_at_ms };
  }

  /** For the link that is printed: once, and only for a session of whoever has the token of this machine. */
  newLinkTicket(): string {
    const local = this.#parts.tokens.find((token) => token.local === true);
    if (local === undefined) throw mobError("mob.unavailable", "there is no token of this machine", { facts: { what: "link" }, retry: "never" });
    const { linkMs } = this.#parts.limits;
    return this.#newTicket({ who: toPrincipal(local), expires_at_ms: this.#now + linkMs, used: false });
  }

  /** Opens that stream once. */
  newStreamTicket(who: Principal, path: string, query: string): { readonly ticket: string; readonly expires_at_ms: number } {
    if (path !== STREAM_PATH) throw mobError("mob.invalid_params", `there is no stream at ${path}`, { facts: { path: "path" }, hint: `Give ${STREAM_PATH}.` });
    const expires_at_ms = this.#now + this.#parts.limits.streamTicketMs;
    const at = addressOf(path, new URLSearchParams(query));
    return { ticket: this.#newTicket({ who, expires_at_ms, at, used: false }), expires_at_ms };
  }

  /** Signs a page in: with the ticket of the printed link, or with a bearer token. Gives what to set as its cookie. */
  async signIn(asking: Asking, ticket: string | undefined): Promise<Session & { readonly cookie: string }> {
    // Nobody is signed in by a page of somebody else.
    if (asking.headers.origin !== undefined) checkOrigin(asking);
    const { authorization } = asking.headers;
    if (ticket === undefined && authorization === undefined) throw stranger("missing_credentials");
    const who = ticket === undefined ? await this.#bearer(authorization ?? "") : this.#redeem(ticket, undefined);
    if (who.local && !asking.inside) throw stranger("invalid_token");
    const { sessionMs, sessionsMax } = this.#parts.limits;
    this.#forget(this.#sessions, sessionsMax, "sessions");
    const secret = this.#newSecret();
    const session = { who, expires_at_ms: this.#now + sessionMs };
    this.#sessions.set(hash(secret), session);
    return { ...session, cookie: `${cookieName(asking)}=${secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${Math.floor(sessionMs / 1_000)}${asking.secure ? "; Secure" : ""}` };
  }

  /** Ends the session of that cookie; gives what to set instead. */
  signOut(asking: Asking): string {
    const cookie = readCookie(asking);
    if (cookie !== undefined) this.#sessions.delete(hash(cookie));
    return `${cookieName(asking)}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`;
  }

  async #bearer(authorization: string): Promise<Principal> {
    const [, given] = /^Bearer ([\x21-\x7e]{1,8192})$/i.exec(authorization) ?? [];
    if (given === undefined) throw stranger("invalid_token_header");
    const own = createHash("sha256").update(given).digest();
    // All of them, so that the time says nothing. Cookies and tickets are found by their hash, which says nothing either.
    const [found] = this.#parts.tokens.filter(({ sha256 }) => {
      const known = Buffer.from(sha256, "hex");
      return known.length === own.length && timingSafeEqual(known, own);
    });
    if (found !== undefined) return toPrincipal(found);
    if (this.#parts.oidc === undefined) throw stranger("invalid_token");
    return this.#parts.oidc.verify(given);
  }

  #redeem(ticket: string, at: string | undefined): Principal {
    const found = this.#tickets.get(hash(ticket));
    if (found === undefined || found.at !== at) throw stranger("invalid_token");
    if (found.used) throw stranger("ticket_used");
    if (found.expires_at_ms <= this.#now) throw stranger("expired");
    found.used = true;
    return found.who;
  }

  #newTicket(ticket: Ticket): string {
    this.#forget(this.#tickets, this.#parts.limits.ticketsMax, "tickets");
    const secret = this.#newSecret();
    this.#tickets.set(hash(secret), ticket);
    return secret;
  }

  #newSecret(): string {
    return Buffer.from(this.#parts.bytes(SECRET_BYTES)).toString("base64url");
  }

  /** Those whose time is over, when there is no more room. */
  #forget(all: Map<string, Session>, most: number, what: string): void {
    if (all.size < most) return;
    for (const [key, { expires_at_ms }] of all) if (expires_at_ms <= this.#now) all.delete(key);
    if (all.size >= most) throw mobError("mob.overloaded", `${most} ${what} are open`, { facts: { limit: most }, retry_after_ms: 1_000 });
  }

  get #now(): number {
    return this.#parts.clock.now();
  }
}

function toPrincipal({ principal, role = "none", groups = [], local = false, read_only = false }: Token): Principal {
  return { id: principal, role, groups, local, read_only };
}

/** The same words in another order are the same address. */
function addressOf(path: string, query: URLSearchParams): string {
  const rest = [...query].filter(([name]) => name !== "ticket").sort(([x], [y]) => (x < y ? -1 : x > y ? 1 : 0));
  return `${path}?${new URLSearchParams(rest).toString()}`;
}

/** A browser sends cookies for other pages too; what writes must come from a page of this server. */
function checkOwnPage(asking: Asking): void {
  checkOrigin(asking);
  if (asking.headers["x-atoll"] === "1") return;
  throw mobError("mob.denied", "a page must say that it means it", { facts: { header: "x-atoll" }, hint: "Send the header `x-atoll: 1`." });
}

function checkOrigin({ headers: { origin = "", host = "" } }: Asking): void {
  const given = URL.canParse(origin) ? new URL(origin) : undefined;
  if (given !== undefined && /^https?:$/.test(given.protocol) && given.host === host.toLowerCase()) return;
  throw mobError("mob.denied", `this page is of ${JSON.stringify(origin)}, not of ${JSON.stringify(host)}`, {
    facts: { origin, host }, hint: "A cookie is for pages of this server, which send Origin and `x-atoll: 1`; a program sends Authorization: Bearer ….",
  });
}

function cookieName({ port }: Asking): string {
  return `atoll_${port}`;
}

function readCookie(asking: Asking): string | undefined {
  const name = cookieName(asking);
  for (const part of (asking.headers.cookie ?? "").split(";")) {
    const [key = "", ...value] = part.trim().split("=");
    if (key === name) return value.join("=");
  }
  return undefined;
}

function hash(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
