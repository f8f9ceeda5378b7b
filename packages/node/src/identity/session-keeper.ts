/**
 * The one source of a node's identity: it gets the first session, keeps it alive and tells who asks what it still counts
 * for (spec: node 3.1 steps 7 and 8, 5.7, 5.8).
 *
 * takes who the node is; gives sessions of one id; promises that renewal goes on whatever stands in the way, and that a
 * swap is one assignment; refuses the answer of a realm that names another id; never sends a message to a peer itself.
 */
import { formatNodeId, isFault, nodeError, type Clock, type Fault, type Log } from "@atoll-run/core";
import type { Report } from "../hooks/report.ts";
import type { LimitsOf } from "../limits.ts";
import {
  credentialActive, credentialWakeAt, stepCredential, type CredentialAction, type CredentialEvent, type CredentialState,
  type RenewBy, type Standing,
} from "../recovery/credential-machine.ts";
import { firstGrant } from "./first-grant.ts";
import type { Grant } from "./grant.ts";
import { realmStatus } from "./realm-errors.ts";
import type { Tracer } from "../observe/tracer.ts";
import type { Registrant, Registration } from "./registration.ts";
import type { SessionStore } from "./session-store.ts";
import type { NodeKey, Session, SessionSource } from "./session.ts";
import type { Verifier } from "./verifier.ts";

export interface SessionKeeperParts {
  readonly registration: Registration;
  readonly sessions: SessionStore;
  readonly verifier: Pick<Verifier, "seed">;
  readonly key: NodeKey | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly report: Report;
  /** Undefined: nobody takes spans. */
  readonly tracer?: Tracer | undefined;
  /** 0 ≤ x < 1. */
  random(): number;
}

export interface SessionKeeperOptions {
  readonly who: Registrant;
  /** A session from elsewhere, instead of a registration. */
  readonly injected?: Grant;
  /** `restart`: a lost identity is replaced by a new registration, with a new id. */
  readonly on_lost: "stop" | "restart";
}

export interface SessionKeeper extends SessionSource, AsyncDisposable {
  /** Steps 7 and 8. Throws `node.permission_denied`, `node.overloaded`, `node.unavailable`, `node.decode_failure`. */
  obtain(o?: { readonly signal?: AbortSignal | undefined }): Promise<Session>;
  /** Tells the first expiry and begins to renew. */
  arm(): void;
  readonly standing: Standing;
  onStanding(hear: (standing: Standing) => void): Disposable;
  /** Signaling or a peer said 401. */
  refused(): void;
  /** The realm warned in a Pong. */
  warned(): void;
  /** The realm has forgotten the node but not its id: registers again, in its own time. */
  again(): void;
  /** What the realm said of itself at the last registration or renewal. */
  readonly realm: { readonly features: readonly string[]; readonly heartbeat_secs: number };
  /** Tells the realm that the node leaves; false when it did not acknowledge. */
  unregister(o?: { readonly signal?: AbortSignal | undefined }): Promise<boolean>;
  stats(): {
    readonly renewals: number; readonly failures: number; readonly expires_at_ms: number;
    /** A question to the realm is in flight. */
    readonly asking: boolean;
  };
}

export interface SessionKeeperLimits {
  readonly credential: LimitsOf<"credential">;
}

export function createSessionKeeper(
  parts: SessionKeeperParts, options: SessionKeeperOptions, limits: SessionKeeperLimits,
): SessionKeeper {
  return new Keeper(parts, options, limits);
}

class Keeper implements SessionKeeper {
  readonly #parts: SessionKeeperParts;
  readonly #options: SessionKeeperOptions;
  readonly #limits: LimitsOf<"credential">;
  readonly #hearSession = new Set<(session: Session) => void>();
  readonly #hearStanding = new Set<(standing: Standing) => void>();
  readonly #closing = new AbortController();
  #session: Session | undefined;
  #grant: Grant | undefined;
  #generation = 0;
  #state: CredentialState | undefined;
  #timer: Disposable | undefined;
  #asking: Promise<void> | undefined;
  #registering: Promise<void> | undefined;
  #renewals = 0;
  #failures = 0;

  constructor(parts: SessionKeeperParts, options: SessionKeeperOptions, limits: SessionKeeperLimits) {
    this.#parts = parts;
    this.#options = options;
    this.#limits = limits.credential;
  }

  current(): Session {
    if (this.#session === undefined) {
      throw nodeError("node.unavailable", "the node has no identity yet", { hint: "It gets one when it registers." });
    }
    return this.#session;
  }

  onRenewed(hear: (session: Session) => void): Disposable {
    this.#hearSession.add(hear);
    return { [Symbol.dispose]: () => this.#hearSession.delete(hear) };
  }

  onStanding(hear: (standing: Standing) => void): Disposable {
    this.#hearStanding.add(hear);
    return { [Symbol.dispose]: () => this.#hearStanding.delete(hear) };
  }

  get standing(): Standing {
    return this.#state?.standing ?? "good";
  }

  get realm(): SessionKeeper["realm"] {
    return { features: this.#grant?.realm_features ?? [], heartbeat_secs: this.#grant?.heartbeat_secs ?? 0 };
  }

  async obtain(o: { readonly signal?: AbortSignal | undefined } = {}): Promise<Session> {
    const { injected, who } = this.#options;
    const { grant, generation } = await firstGrant(this.#parts, who, { injected, signal: o.signal });
    this.#generation = generation;
    await this.#install(grant);
    return this.current();
  }

  arm(): void {
    const grant = this.#grant;
    if (grant === undefined) throw nodeError("node.wrong_state", "there is no session to keep");
    this.#begin(grant);
    this.#parts.report("credential_renewed", { expires_at_ms: grant.expires_at_ms });
  }

  refused(): void {
    this.#step({ is: "refused" });
  }

  warned(): void {
    this.#step({ is: "warned" });
  }

  again(): void {
    const { is } = this.#state ?? { is: "lost" };
    if (this.#registering !== undefined || is === "lost" || this.#closing.signal.aborted) return;
    this.#registering = this.#registerAgain().finally(() => (this.#registering = undefined));
  }

  async unregister(o: { readonly signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    const session = this.#session;
    if (session?.key === undefined || this.#options.injected !== undefined) return false;
    try {
      await this.#parts.registration.unregister(session.id, o);
      return true;
    } catch (error) {
      this.#log("warn", "the realm did not acknowledge that the node leaves", { reason: String(error) });
      return false;
    }
  }

  stats(): ReturnType<SessionKeeper["stats"]> {
    const expires_at_ms = this.#session?.expires_at_ms ?? 0;
    return { renewals: this.#renewals, failures: this.#failures, expires_at_ms, asking: this.#asking !== undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(nodeError("node.cancelled", "the node closes"));
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    await Promise.all([this.#asking, this.#registering]);
    this.#hearSession.clear();
    this.#hearStanding.clear();
  }

  /** Stored before it is used: a token that the realm has rotated must not be lost. */
  async #install(grant: Grant): Promise<void> {
    const { key, sessions, verifier } = this.#parts;
    const generation = this.#generation + 1;
    await sessions.save(grant, generation, key);
    this.#generation = generation;
    this.#grant = grant;
    for (const [keyId, realmKey] of grant.keys) verifier.seed(keyId, realmKey);
    this.#session = {
      id: grant.id, credential: grant.credential, credential_bytes: grant.credential_bytes,
      key: grant.has_key ? key : undefined, expires_at_ms: grant.expires_at_ms, generation, turn: grant.turn,
    };
  }

  #begin(grant: Grant): void {
    const plan = { random: this.#parts.random(), limits: this.#limits };
    this.#state = credentialActive(this.#ours(grant), this.#parts.clock.now(), plan);
    this.#sleep();
  }

  /** Its end on our clock: that of the realm may be another. */
  #ours(grant: Grant): { readonly expires_at_ms: number; readonly has_key: boolean } {
    const offMs = grant.server_at_ms === undefined ? 0 : grant.server_at_ms - this.#parts.clock.now();
    return { expires_at_ms: grant.expires_at_ms - offMs, has_key: grant.has_key };
  }

  #step(event: CredentialEvent): void {
    if (this.#state === undefined || this.#closing.signal.aborted) return;
    const plan = { random: this.#parts.random(), limits: this.#limits };
    const { state, actions } = stepCredential(this.#state, event, this.#parts.clock.now(), plan);
    this.#state = state;
    for (const action of actions) this.#do(action);
    this.#sleep();
  }

  #sleep(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#state === undefined || this.#closing.signal.aborted) return;
    const at = credentialWakeAt(this.#state, this.#limits);
    if (at === undefined) return;
    const { clock } = this.#parts;
    this.#timer = clock.after(Math.max(0, Math.ceil(at - clock.now())), () => this.#step({ is: "tick" }));
  }

  #do(action: CredentialAction): void {
    switch (action.do) {
      case "expiring": {
        const { cause, expires_at_ms } = action;
        this.#parts.report("credential_expiring", { cause, expires_at_ms });
        return;
      }
      case "renew": {
        this.#asking = this.#renew(action.by).then((event) => {
          this.#asking = undefined;
          this.#step(event);
        });
        return;
      }
      case "install": {
        const session = this.current();
        this.#renewals++;
        this.#parts.report("credential_renewed", { expires_at_ms: session.expires_at_ms });
        for (const hear of this.#hearSession) this.#safely(() => hear(session));
        return;
      }
      case "standing": {
        this.#log(action.standing === "good" ? "info" : "warn", `the identity counts as ${action.standing}`, {});
        for (const hear of this.#hearStanding) this.#safely(() => hear(action.standing));
        if (action.standing === "lost" && this.#options.on_lost === "restart") this.#asking = this.#startOver();
        return;
      }
      case "report": this.#fail(REPORTS[action.why]());
    }
  }

  /** Contract: never throws. */
  async #renew(by: RenewBy): Promise<CredentialEvent> {
    const { registration, clock, tracer } = this.#parts;
    const { who } = this.#options;
    const { id } = this.current();
    const span = tracer?.begin("renew", { facts: { node: formatNodeId(id), kind: by } });
    const grant = this.#grant;
    const isOver = (grant?.renewal_token_expires_at_ms ?? Infinity) <= clock.now();
    const token = by === "key" || isOver ? undefined : grant?.renewal_token;
    try {
      const { realm, type } = who;
      const renewed = await registration.renew(
        { realm, type, id, ...token === undefined ? {} : { token } }, { signal: this.#closing.signal },
      );
      await this.#install(renewed);
      span?.end("renewed");
      return { is: "renewed", same_id: true, ...this.#ours(renewed) };
    } catch (error) {
      this.#failures++;
      span?.end("failed", isFault(error) ? error.code : "error");
      const { code, message } = error instanceof Error ? error as Error & { readonly code?: unknown } : { code: "", message: String(error) };
      if (!this.#closing.signal.aborted) this.#log("warn", "the credential could not be renewed", { code, reason: message, by });
      return toEvent(error);
    }
  }

  /** Contract: never throws. The next ping asks again when it failed. */
  async #registerAgain(): Promise<void> {
    const { registration } = this.#parts;
    const { id } = this.current();
    try {
      const grant = await registration.register(this.#options.who, { previous: id, signal: this.#closing.signal });
      if (formatNodeId(grant.id) !== formatNodeId(id)) throw REPORTS.identity_mismatch();
      await this.#install(grant);
      this.#begin(grant);
      this.#do({ do: "install", expires_at_ms: grant.expires_at_ms });
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#fail(isFault(error) ? error : nodeError("node.internal", String(error)));
    }
  }

  /** Only by setting: another identity, with another id. */
  async #startOver(): Promise<void> {
    const { registration, clock, random } = this.#parts;
    const { signal } = this.#closing;
    for (let waitMs = this.#limits.retryMs; !signal.aborted; waitMs = Math.min(waitMs * 2, this.#limits.retryMsMax)) {
      try {
        const grant = await registration.register(this.#options.who, { signal });
        await this.#install(grant);
        this.#begin(grant);
        this.#do({ do: "install", expires_at_ms: grant.expires_at_ms });
        this.#do({ do: "standing", standing: "good" });
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(isFault(error) ? error : nodeError("node.internal", String(error), { cause: error }));
        await pause(clock, waitMs * (0.75 + random() / 2), signal);
      }
    }
  }

  #fail(error: Fault): void {
    this.#parts.report("error", { error, category: "credential_failure", context: "renewal" });
  }

  #safely(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#fail(nodeError("node.internal", `a hearer of the identity threw: ${String(error)}`, { cause: error }));
    }
  }

  #log(level: "info" | "warn", msg: string, fields: Readonly<Record<string, unknown>>): void {
    this.#parts.log.write({ level, target: "identity", msg, fields });
  }
}

const REPORTS = {
  suspended: () => nodeError("node.permission_denied", "the realm does not renew the identity for now", {
    hint: "Ask whoever runs the realm; the node asks again every 5 minutes.",
  }),
  rejected: () => nodeError("node.identity_lost", "the realm does not know this identity any more", {
    hint: "Start the node again to register, or set identity.on_lost to restart.",
  }),
  identity_mismatch: () => nodeError("node.identity_mismatch", "the realm renewed another identity than ours"),
} as const;

function toEvent(error: unknown): CredentialEvent {
  if (isFault(error) && error.code === "node.identity_mismatch" && realmStatus(error) === undefined) {
    return { is: "renewed", same_id: false, expires_at_ms: 0, has_key: false };
  }
  switch (realmStatus(error)) {
    case 400:
    case 401: return { is: "rejected" };
    case 403: return { is: "denied" };
    case 429: return { is: "paused", retry_after_ms: isFault(error) ? error.retry_after_ms : undefined };
    default: return { is: "failed" };
  }
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, resolve);
    signal.addEventListener("abort", () => {
      timer[Symbol.dispose]();
      resolve();
    }, { once: true });
  });
}
