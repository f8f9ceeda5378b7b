/**
 * Messages from node to node while they connect (spec: node 7.6, 7.11; wire 9).
 *
 * takes a message of a proved node; gives it to its target, without the signature of the credential; promises that a
 * pair speaks only when the one who began may reach the other; refuses absent targets with 404; never looks into an SDP.
 */
import { formatNodeId, type Clock } from "@atoll-run/core";
import {
  fromActrId, toActrId, type ActrId, type ActrRelay, type ActrRelaySchema, type MessageInitShape,
} from "@atoll-run/core/internal";
import { rulesOf, type NodeRecords } from "../identity/node-record.ts";
import type { RealmLimits } from "../limits.ts";
import { granted, refuse, type Answer } from "../refusal.ts";
import type { Registry } from "../registry/registry.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { offers } from "./roles.ts";

export interface RelayParts {
  readonly connections: Connections;
  readonly registry: Registry;
  readonly nodes: NodeRecords;
  readonly clock: Clock;
}

/** What stands around a message and goes with it. */
export interface Trace {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

type RelayInit = NonNullable<MessageInitShape<typeof ActrRelaySchema>["payload"]>;

/** The field has 64 bytes, so a missing signature is zeros: who gets it cannot use the credential. */
const NO_SIGNATURE = new Uint8Array(64);

export class Relay {
  readonly #parts: RelayParts;
  readonly #limits: RealmLimits["signaling"];
  /** Pairs that were let in → monotonic time of their last message, in that order. */
  readonly #pairs = new Map<string, number>();
  relayed = 0;

  constructor(parts: RelayParts, limits: RealmLimits["signaling"]) {
    this.#parts = parts;
    this.#limits = limits;
  }

  get pairs(): number {
    return this.#pairs.size;
  }

  async take(from: Connection, relay: ActrRelay, trace: Trace): Promise<Answer<void>> {
    const target = textOf(relay.target);
    if (target === undefined) return refuse(400, "the target is no id");
    const to = this.#parts.connections.get(target);
    const { case: kind, value } = relay.payload;
    if (kind === undefined || kind === "roleAssignment") {
      return refuse(400, "that is nothing a node may relay");
    }
    if (to === undefined || to === from) return refuse(404, "the target is not connected");
    if (!await this.#isAdmitted(from, to)) return refuse(403, "no rule of the target lets you reach it");
    // Else whoever may reach a slow node could end its connection.
    if (to.busy) return refuse(503, "the target reads too slowly now", { retry_after_ms: 1_000 });
    if (kind === "roleNegotiation") {
      const isOwn = [value.from, value.to].every((one, at) => textOf(one) === [from, to][at]?.text);
      if (!isOwn) return refuse(400, "a role negotiation names its source and its target");
      this.#assign(from, to, trace);
    } else this.#pass(from, to, { case: kind, value } as RelayInit, trace);
    this.relayed++;
    return granted(undefined);
  }

  /** Whoever was let in must be let in again: a rule has changed. */
  forget(text: string): void {
    for (const pair of this.#pairs.keys()) if (pair.split("\n").includes(text)) this.#pairs.delete(pair);
  }

  /** Each takes as its peer the id that is not its own, so both get the one that asked as the source. */
  #assign(from: Connection, to: Connection, trace: Trace): void {
    for (const [one, other] of [[from, to], [to, from]] as const) {
      const assignment = { isOfferer: offers(one, other), remoteFixed: other.answers };
      this.#send(one, from, to, { payload: { case: "roleAssignment", value: assignment }, trace });
    }
  }

  #pass(from: Connection, to: Connection, payload: RelayInit, trace: Trace): void {
    this.#send(to, from, to, { payload, trace });
  }

  #send(receiver: Connection, from: Connection, to: Connection, what: { payload: RelayInit; trace: Trace }): void {
    const { keyId, claims } = from.credential;
    receiver.send({
      ...what.trace, flow: { case: "actrRelay", value: {
        source: toActrId(from.id), target: toActrId(to.id), credential: { keyId, claims, signature: NO_SIGNATURE },
        payload: what.payload,
      } },
    });
  }

  async #isAdmitted(from: Connection, to: Connection): Promise<boolean> {
    const pair = [from.text, to.text].sort().join("\n");
    const now = this.#parts.clock.monotonic();
    const seen = this.#pairs.get(pair);
    if (seen === undefined || now - seen > this.#limits.pairIdleMs) {
      const target = (await this.#parts.nodes.get(to.text))?.value;
      if (target === undefined) return false;
      const rules = rulesOf(target);
      if (!this.#parts.registry.maySee({ id: to.id, rules }, from.asker)) return false;
    }
    this.#pairs.delete(pair);
    this.#pairs.set(pair, now);
    if (this.#pairs.size > this.#limits.pairsMax) {
      const [oldest] = this.#pairs.keys();
      if (oldest !== undefined) this.#pairs.delete(oldest);
    }
    return true;
  }
}

function textOf(message: ActrId | undefined): string | undefined {
  const id = message === undefined ? undefined : fromActrId(message);
  return id === undefined ? undefined : formatNodeId(id);
}
