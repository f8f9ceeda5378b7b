/**
 * The identity service over HTTP (spec: node 7.1; wire 8).
 *
 * takes plain requests; gives plain answers; promises that a registration is always answered with 200 and its error
 * inside, as clients of the protocol expect; refuses too many of one address; never answers a browser that is not listed.
 */
import type { Clock, Log } from "@atoll-run/core";
import {
  RegisterResponseSchema, RenewCredentialResponseSchema, writeMessage, type MessageInitShape,
} from "@atoll-run/core/internal";
import type { RegisterOkInit } from "../identity/grants.ts";
import type { IdentityService } from "../identity/identity-service.ts";
import type { PublishedKey, SigningKeys } from "../identity/signing-keys.ts";
import type { RealmLimits } from "../limits.ts";
import { Limiter, type Origin } from "../rate/limiter.ts";
import { granted, refuse, type Answer, type Refusal } from "../refusal.ts";
import { toBase64 } from "../store/records.ts";
import type { AdminToken } from "../admin/token.ts";
import { bytesAnswer, emptyAnswer, jsonAnswer, refusedAnswer, retryHeaders, type HttpAnswer, type HttpAsk } from "./message.ts";

export interface AisParts {
  readonly identity: IdentityService;
  readonly keys: SigningKeys;
  readonly token: AdminToken;
  readonly clock: Clock;
  readonly log: Log;
}

type Handler = (ask: HttpAsk) => Promise<HttpAnswer>;

export class Ais {
  readonly #parts: AisParts;
  readonly #limiter: Limiter;
  readonly #handlers: Readonly<Record<string, Handler>>;
  requests = 0;
  refused = 0;

  constructor(parts: AisParts, limits: RealmLimits) {
    this.#parts = parts;
    const { aisPerSecond, aisBurst, sourcesMax } = limits.rate;
    this.#limiter = new Limiter(parts.clock, { perSecond: aisPerSecond, burst: aisBurst }, sourcesMax);
    this.#handlers = {
      "POST /ais/register": (ask) => this.register(ask), "POST /ais/renew": (ask) => this.renew(ask),
      "POST /ais/unregister": (ask) => this.unregister(ask), "POST /ais/rotate-key": (ask) => this.#rotate(ask),
      "GET /ais/health": async () => this.#keyAnswer(this.#parts.keys.current()),
      "GET /ais/current-key": async () => this.#keyAnswer(this.#parts.keys.current()),
      "GET /ais/signing-pubkey": async (ask) => this.#signingKey(ask), "GET /ais/keys": async () => this.#keys(),
    };
  }

  /** 404 when there is no such endpoint, 405 when it has another method. */
  async handle(ask: HttpAsk): Promise<HttpAnswer> {
    const path = ask.path.replace(/^\/+ais\/+/, "/ais/").replace(/\/+$/, "");
    const handler = this.#handlers[`${ask.method} ${path}`];
    if (handler !== undefined) return handler(ask);
    const allowed = Object.keys(this.#handlers).filter((one) => one.endsWith(` ${path}`)).map((one) => one.split(" ")[0]);
    return allowed.length === 0 ? refusedAnswer(refuse(404, "there is no such endpoint"))
      : emptyAnswer(405, { allow: allowed.join(", ") });
  }

  async register({ body, headers, origin }: Pick<HttpAsk, "body" | "headers" | "origin">): Promise<HttpAnswer> {
    const done = await this.#guarded(origin, () => this.#parts.identity.register(body, {
      secret: headers["x-actrix-realm-secret"], invite: headers["x-atoll-invite"], origin,
    }));
    const answer = writeMessage(RegisterResponseSchema, { result: toResult(done) });
    return bytesAnswer(200, answer, done.ok ? {} : retryHeaders(done));
  }

  async renew({ body, origin }: Pick<HttpAsk, "body" | "origin">): Promise<HttpAnswer> {
    const done = await this.#guarded(origin, () => this.#parts.identity.renew(body));
    const answer = writeMessage(RenewCredentialResponseSchema, { result: toResult(done) });
    return bytesAnswer(done.ok ? 200 : done.code, answer, done.ok ? {} : retryHeaders(done));
  }

  async unregister({ body, origin }: Pick<HttpAsk, "body" | "origin">): Promise<HttpAnswer> {
    const done = await this.#guarded(origin, () => this.#parts.identity.unregister(body));
    return done.ok ? emptyAnswer(204) : refusedAnswer(done);
  }

  async #rotate({ headers, origin }: HttpAsk): Promise<HttpAnswer> {
    const done = await this.#guarded(origin, async () => {
      if (!this.#parts.token.isShown(headers)) return refuse(401, "that needs the admin token");
      return granted(await this.#parts.keys.rotate("admin"));
    });
    return done.ok ? this.#keyAnswer(done.value) : refusedAnswer(done);
  }

  #keyAnswer({ key_id, pubkey }: PublishedKey): HttpAnswer {
    return jsonAnswer(200, { status: "ok", key_id, pubkey: toBase64(pubkey) });
  }

  #signingKey({ query }: HttpAsk): HttpAnswer {
    const wanted = query.get("key_id");
    const key = wanted === null ? this.#parts.keys.current() : this.#parts.keys.find(Number(wanted));
    return key === undefined ? refusedAnswer(refuse(404, `there is no key ${wanted}`)) : this.#keyAnswer(key);
  }

  #keys(): HttpAnswer {
    const keys = this.#parts.keys.published().map(({ pubkey, not_after_at_ms, ...rest }) => ({
      ...rest, pubkey: toBase64(pubkey), ...not_after_at_ms === null ? {} : { not_after_at_ms },
    }));
    return jsonAnswer(200, { status: "ok", keys });
  }

  /** Counts, limits, and turns a failure of the store into 503. */
  async #guarded<T>(origin: Origin, work: () => Promise<Answer<T>>): Promise<Answer<T>> {
    this.requests++;
    const done = await this.#limited(origin, work);
    if (!done.ok) this.refused++;
    return done;
  }

  async #limited<T>(origin: Origin, work: () => Promise<Answer<T>>): Promise<Answer<T>> {
    const waitMs = origin.loopback ? 0 : this.#limiter.take(origin.address);
    if (waitMs > 0) return refuse(429, "too many requests", { retry_after_ms: waitMs, why: "overloaded" });
    try {
      return await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.log.write({ level: "error", target: "realm", msg: "a request failed", fields: { reason } });
      return refuse(503, "the realm cannot store anything now", { retry_after_ms: 1_000, why: "unavailable" });
    }
  }
}

type ResultInit = NonNullable<MessageInitShape<typeof RegisterResponseSchema>["result"]>;

function toResult(done: Answer<RegisterOkInit>): ResultInit {
  if (done.ok) return { case: "success", value: done.value };
  return { case: "error", value: toError(done) };
}

function toError({ code, text, retry_after_ms: waitMs }: Refusal): { code: number; message: string; detail?: object } {
  const detail = waitMs === undefined ? {} : { detail: { kind: 0, retryAfterMs: BigInt(Math.ceil(waitMs)) } };
  return { code, message: text, ...detail };
}
