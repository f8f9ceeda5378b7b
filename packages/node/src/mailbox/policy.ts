/** How messages of a route are handled: what the workload says, overlaid by what is configured, else the defaults. */
import { createHash } from "node:crypto";
import { nodeError, type Principal, type RouteInfo, type RoutePolicy } from "@atoll-run/core";
import type { Envelope } from "@atoll-run/core/internal";
import { NODE_LIMITS, type LimitsOf } from "../limits.ts";

/** Complete. */
export type Policy = Required<RoutePolicy>;

/** By route; `*` stands for all others. */
export type ConfiguredPolicies = Readonly<Record<string, RoutePolicy>>;

const { mailbox: MAILBOX } = NODE_LIMITS;

export interface PolicyLimits {
  readonly mailbox: Pick<LimitsOf<"mailbox">, "dedupTtlMs" | "dedupTtlMsMax">;
  readonly dispatch: Pick<LimitsOf<"dispatch">, "callAttempts" | "tellAttempts" | "backoffMs" | "tellHandlerMs">;
}

/** A call has one attempt, and its deadline for a limit. */
function defaultsOf({ mailbox, dispatch }: PolicyLimits): { readonly call: Policy; readonly tell: Policy } {
  const tell: Policy = {
    order: "key", attempts: dispatch.tellAttempts, backoffMs: dispatch.backoffMs, handlerLimitMs: dispatch.tellHandlerMs,
    ttlMs: Infinity, volatile: false, redeliver: "always", idempotent: false, dedupTtlMs: mailbox.dedupTtlMs, senderKeys: false, keyField: "",
  };
  return { tell, call: { ...tell, attempts: dispatch.callAttempts, handlerLimitMs: Infinity } };
}

/** Policies by what was declared: one for each route, made at its first message. */
export class Policies {
  readonly #configured: ConfiguredPolicies | undefined;
  readonly #defaults: ReturnType<typeof defaultsOf>;
  readonly #dedupTtlMsMax: number;
  readonly #known = { call: new WeakMap<RoutePolicy, Map<string, Policy>>(), tell: new WeakMap<RoutePolicy, Map<string, Policy>>() };

  constructor(configured: ConfiguredPolicies | undefined, limits: PolicyLimits) {
    this.#configured = configured;
    this.#defaults = defaultsOf(limits);
    this.#dedupTtlMsMax = limits.mailbox.dedupTtlMsMax;
  }

  of(kind: "call" | "tell", route: string, declared: RoutePolicy): Policy {
    const declaration = saysNothing(declared) ? NOTHING : declared;
    let byRoute = this.#known[kind].get(declaration);
    if (byRoute === undefined) this.#known[kind].set(declaration, byRoute = new Map());
    const known = byRoute.get(route);
    if (known !== undefined) return known;
    const policy = this.#decide(kind, route, declaration);
    if (byRoute.size < KNOWN_MAX) byRoute.set(route, policy);
    return policy;
  }

  #decide(kind: "call" | "tell", route: string, declared: RoutePolicy): Policy {
    const configured = this.#configured ?? {};
    const policy = {
      ...this.#defaults[kind], ...declared, ...configured["*"], ...Object.hasOwn(configured, route) ? configured[route] : undefined,
    };
    policy.dedupTtlMs = Math.min(policy.dedupTtlMs, this.#dedupTtlMsMax);
    return policy;
  }
}

/** Routes that share one declaration; a block's may be any text. */
const KNOWN_MAX = 256;

/** One for all that say nothing: a workload may make theirs anew for each message. */
const NOTHING: RoutePolicy = {};

function saysNothing(declared: RoutePolicy): boolean {
  for (const _ in declared) return false;
  return true;
}

export interface KeyOf {
  readonly kind: "call" | "tell";
  readonly policy: Policy;
  readonly info: RouteInfo;
  readonly envelope: Envelope;
  readonly principal: Principal;
  /** Text. */
  readonly sender: string;
}

/** Longer ones are stored as their hash. */
const STORED_MAX = 1_024;

/**
 * The order key of a message (spec: node 4.11), its kind in front. Throws `node.invalid_argument` when the function of
 * the route throws or the key is too long.
 */
export function keyOf({ kind, policy, info, envelope, principal, sender }: KeyOf): string | null {
  if (policy.order === "node") return "n";
  if (policy.keyField !== "" || info.key !== undefined) {
    const key = fromRoute(policy.keyField === "" ? info : { key: (payload) => fieldOf(payload, policy.keyField) }, envelope, principal);
    return key === null ? null : stored("k", key);
  }
  if (policy.senderKeys && envelope.order_key !== undefined) return stored("o", envelope.order_key);
  return kind === "tell" ? stored("s", sender) : null;
}

/** Throws for a body that is no JSON, and for a field that is a list or an object. */
function fieldOf(payload: Uint8Array, path: string): string | null {
  let value = JSON.parse(Buffer.from(payload).toString()) as unknown;
  for (const name of path.split(".")) {
    const isThere = typeof value === "object" && value !== null && Object.hasOwn(value, name);
    value = isThere ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
  }
  if (value === undefined || value === null) return null;
  if (typeof value === "object") throw new TypeError(`${path} is no single value`);
  return String(value);
}

function fromRoute(info: Pick<RouteInfo, "key">, { payload, route_key }: Envelope, principal: Principal): string | null {
  try {
    return info.key?.(payload ?? new Uint8Array(0), principal) ?? null;
  } catch (cause) {
    throw nodeError("node.invalid_argument", `the order key of ${route_key} cannot be computed`, { cause });
  }
}

function stored(kind: string, key: string): string {
  if (key.length <= STORED_MAX) return `${kind}:${key}`;
  const bytes = Buffer.byteLength(key);
  if (bytes > MAILBOX.keyBytesMax) {
    throw nodeError("node.invalid_argument", `the order key has ${bytes} bytes, more than ${MAILBOX.keyBytesMax}`);
  }
  return `${kind}#${createHash("sha256").update(key).digest("hex")}`;
}
