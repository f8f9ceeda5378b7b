/**
 * The connections of one wire (spec: node 6.3): who is counted, who is asked whether it lives, who may send how fast.
 * takes links and attempts; gives room or none; promises to end what is silent too long; never ends what is heard.
 */
import { type Clock, type NodeId } from "@atoll-run/core";
import { idText } from "../../identity/id-text.ts";
import type { LimitsOf } from "../../limits.ts";
import { TokenBucket } from "../token-bucket.ts";
import type { WebSocketLink } from "./link.ts";

type StandingLimits = Pick<
  LimitsOf<"wire">,
  "connectionsMax" | "connectionsPerSecond" | "connectionsBurst" | "peerMessagesPerSecond" | "peerMessagesBurst" | "pingMs" | "deadMs"
  | "retryAfterMs" | "retryAfterMsMax"
>;

interface PeerRate {
  readonly bucket: TokenBucket;
  links: number;
}

/** How finely silence is measured: a fifteenth of what is asked after. */
const LOOKS = 15;

export class Standing {
  readonly #clock: Clock;
  readonly #limits: StandingLimits;
  readonly #links = new Set<WebSocketLink>();
  readonly #rates = new Map<string, PeerRate>();
  readonly #arrivals: TokenBucket;
  #attempts = 0;
  /** Told to the last who was refused, on the monotonic clock. */
  #lastTurnMs = 0;
  #timer: Disposable | undefined;

  constructor(clock: Clock, limits: StandingLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#arrivals = new TokenBucket(limits.connectionsPerSecond, limits.connectionsBurst, clock.monotonic());
  }

  get links(): ReadonlySet<WebSocketLink> {
    return this.#links;
  }

  /** Connections that are not proved yet. */
  get attempts(): number {
    return this.#attempts;
  }

  get full(): boolean {
    return this.#links.size + this.#attempts >= this.#limits.connectionsMax;
  }

  /**
   * One more knocks. 0: it may come in; else the whole milliseconds after which it would be its turn. Each is told a time of its
   * own: a crowd that came back each second would cost more than letting it in.
   */
  arrive(): number {
    const now = this.#clock.monotonic();
    if (this.#arrivals.takeIfAny(now)) return 0;
    const { connectionsPerSecond, retryAfterMs, retryAfterMsMax } = this.#limits;
    const next = Math.max(this.#lastTurnMs + 1_000 / connectionsPerSecond, now + retryAfterMs);
    this.#lastTurnMs = Math.min(next, now + retryAfterMsMax);
    // Whole: a hair above a second would be told as two.
    return Math.max(1, Math.round(this.#lastTurnMs - now));
  }

  /** Counts an attempt until disposed. */
  attempt(): Disposable {
    this.#attempts++;
    let over = false;
    return {
      [Symbol.dispose]: () => {
        if (!over) this.#attempts--;
        over = true;
      },
    };
  }

  /** The rate at which a peer may send, over all its links; counted until {@link remove}. */
  rateOf(id: NodeId): TokenBucket {
    const rate = this.#rateOf(idText(id));
    rate.links++;
    return rate.bucket;
  }

  add(link: WebSocketLink): void {
    this.#links.add(link);
    this.#timer ??= this.#look();
  }

  /** The socket of a link is closed. */
  readonly remove = (link: WebSocketLink): void => {
    if (!this.#links.delete(link)) return;
    const id = idText(link.peer.id);
    const rate = this.#rateOf(id);
    rate.links--;
    // Who comes back at once must not come back with a full bucket.
    if (rate.links === 0 && rate.bucket.debtMs(this.#clock.monotonic()) === 0) this.#rates.delete(id);
    if (this.#links.size > 0) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  };

  #rateOf(id: string): PeerRate {
    let rate = this.#rates.get(id);
    if (rate === undefined) {
      const { peerMessagesPerSecond, peerMessagesBurst } = this.#limits;
      rate = { bucket: new TokenBucket(peerMessagesPerSecond, peerMessagesBurst, this.#clock.monotonic()), links: 0 };
      this.#rates.set(id, rate);
    }
    return rate;
  }

  #look(): Disposable {
    return this.#clock.after(this.#limits.pingMs / LOOKS, () => {
      this.#timer = this.#look();
      const now = this.#clock.monotonic();
      for (const link of this.#links) {
        const silentMs = now - link.heardAtMs;
        if (silentMs < this.#limits.pingMs || link.resting) continue;
        if (silentMs >= this.#limits.deadMs) link.break("the peer gave no sign of life");
        else if (now - link.askedAtMs >= this.#limits.pingMs) link.ask();
      }
    });
  }
}
