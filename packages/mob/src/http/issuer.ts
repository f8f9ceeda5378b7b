/**
 * The keys of an OpenID provider (spec: mob 11.8).
 *
 * takes the address of an issuer; gives its keys by their ids; promises that they are asked for once an hour, and for an id that is not
 * known once in 30 seconds at most, whoever asks how often; refuses an answer that is of another issuer, too large or too late; never
 * follows a redirect.
 */
import { withDeadline, type Clock } from "@atoll-run/core";
import { z } from "zod";
import { mobError } from "../errors.ts";

const KEYS_MS = 3_600_000;
const UNKNOWN_MS = 30_000;
const FETCH_MS = 5_000;
const ANSWER_BYTES_MAX = 1_048_576;

const discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });
const key = z.looseObject({ kty: z.string(), kid: z.string().exactOptional(), alg: z.string().exactOptional(), crv: z.string().exactOptional(), use: z.string().exactOptional() });
const keySet = z.object({ keys: z.array(key).max(1_024) });

export type KeyOfIssuer = z.output<typeof key>;

interface Known {
  readonly keys: readonly KeyOfIssuer[];
  readonly atMs: number;
}

export class Issuer {
  readonly url: string;
  /** It is on this machine. */
  readonly loopback: boolean;
  readonly #clock: Clock;
  #known: Known | undefined;
  #asking: Promise<Known> | undefined;
  #failedAtMs = -Infinity;

  /** Throws `mob.invalid_params` for what is no issuer. */
  constructor(url: string, clock: Clock) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    this.loopback = parsed !== undefined && isLoopback(parsed.hostname);
    if (parsed === undefined || parsed.protocol !== "https:" && !(this.loopback && parsed.protocol === "http:")) {
      throw mobError("mob.invalid_params", `${JSON.stringify(url)} is no issuer: give an https address`, { facts: { path: "http.oidc_issuer" } });
    }
    this.url = url;
    this.#clock = clock;
  }

  /** Undefined: it has none of that id. Without an id: its only one. Throws `mob.unavailable`. */
  async key(kid: string | undefined): Promise<KeyOfIssuer | undefined> {
    const known = this.#known !== undefined && this.#now - this.#known.atMs < KEYS_MS ? this.#known : await this.#ask();
    const found = find(known.keys, kid);
    if (found !== undefined || this.#now - known.atMs < UNKNOWN_MS) return found;
    return find((await this.#ask()).keys, kid);
  }

  /** Whoever asks meanwhile waits for the same answer. */
  #ask(): Promise<Known> {
    if (this.#now - this.#failedAtMs < UNKNOWN_MS) throw this.#away("it did not answer a moment ago");
    return this.#asking ??= this.#fetch().then((known) => this.#known = known, (error: unknown) => {
      this.#failedAtMs = this.#now;
      throw this.#away(error instanceof Error ? error.message : String(error), error);
    }).finally(() => {
      this.#asking = undefined;
    });
  }

  async #fetch(): Promise<Known> {
    const found = discovery.parse(await this.#get(`${this.url.replace(/\/$/, "")}/.well-known/openid-configuration`));
    if (found.issuer !== this.url) throw new Error(`it says that it is ${found.issuer}`);
    const { protocol, hostname } = new URL(found.jwks_uri);
    if (protocol !== "https:" && !(this.loopback && isLoopback(hostname))) throw new Error("its keys are not at an https address");
    const { keys } = keySet.parse(await this.#get(found.jwks_uri));
    return { keys: keys.filter(({ use = "sig" }) => use === "sig"), atMs: this.#now };
  }

  #get(url: string): Promise<unknown> {
    return withDeadline(async (signal) => {
      const answer = await fetch(url, { signal, redirect: "error", headers: { accept: "application/json" } });
      if (!answer.ok || answer.body === null) throw new Error(`${url} answers ${answer.status}`);
      const pieces: Uint8Array[] = [];
      let bytes = 0;
      for await (const piece of answer.body) {
        bytes += piece.length;
        if (bytes > ANSWER_BYTES_MAX) throw new Error(`${url} gives more than ${ANSWER_BYTES_MAX} bytes`);
        pieces.push(piece);
      }
      return JSON.parse(Buffer.concat(pieces).toString("utf8")) as unknown;
    }, { clock: this.#clock, ms: FETCH_MS, what: "the issuer" });
  }

  get #now(): number {
    return this.#clock.monotonic();
  }

  #away(text: string, cause?: unknown): ReturnType<typeof mobError> {
    return mobError("mob.unavailable", `the issuer ${this.url} gives no keys: ${text}`, { facts: { what: "issuer" }, cause, retry_after_ms: UNKNOWN_MS });
  }
}

function find(keys: readonly KeyOfIssuer[], kid: string | undefined): KeyOfIssuer | undefined {
  return kid === undefined ? (keys.length === 1 ? keys[0] : undefined) : keys.find((one) => one.kid === kid);
}

export function isLoopback(name: string): boolean {
  return name === "localhost" || name === "[::1]" || name === "::1" || /^127\.\d+\.\d+\.\d+$/.test(name);
}
