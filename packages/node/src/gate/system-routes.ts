/** Routes that the node answers itself, between peers that know our extensions (spec: wire 3.2). */
import { isFault, nodeError, SYSTEM_ROUTES, type Lane, type Link } from "@atoll-run/core";
import { CancelSchema, readMessage, type Envelope } from "@atoll-run/core/internal";
import type { Settled } from "../mailbox/inbox.ts";
import type { Answers } from "./answers.ts";
import type { PeerBook } from "./peer-book.ts";

export interface SystemRouteParts {
  readonly answers: Answers;
  readonly peers: PeerBook;
  readonly refresh?: (link: Link, payload: Uint8Array) => Promise<void>;
  readonly stats: { cancelled: number };
}

const DONE: Settled = { is: "reply", payload: new Uint8Array() };

export class SystemRoutes {
  readonly #parts: SystemRouteParts;

  constructor(parts: SystemRouteParts) {
    this.#parts = parts;
  }

  take(link: Link, lane: Lane, envelope: Envelope): void {
    const { answers } = this.#parts;
    const isRequest = envelope.direction === "request";
    if (envelope.route_key === SYSTEM_ROUTES.cancel) return this.#cancel(link, envelope);
    if (!isRequest) return;
    if (envelope.route_key === SYSTEM_ROUTES.probe) answers.respond(link, { envelope, lane }, DONE);
    else this.#refresh(link, lane, envelope);
  }

  /** A cancel that cannot be read changes nothing: the deadline ends what it meant. */
  #cancel(link: Link, { payload, direction }: Envelope): void {
    const read = readMessage(CancelSchema, payload ?? new Uint8Array());
    if (direction !== "tell" || !read.ok) return;
    const { requestId, routeKey } = read.value;
    const reason = nodeError("node.cancelled", "the caller has given it up");
    this.#parts.stats.cancelled += this.#parts.peers.of(link).cancel(requestId, routeKey, reason);
  }

  #refresh(link: Link, lane: Lane, envelope: Envelope): void {
    const { answers, refresh } = this.#parts;
    const asked = { envelope, lane };
    if (refresh === undefined) {
      return answers.refuse(link, asked, nodeError("node.not_implemented", "this node takes no newer credentials"));
    }
    refresh(link, envelope.payload ?? new Uint8Array()).then(
      () => answers.respond(link, asked, DONE),
      (error: unknown) => answers.refuse(link, asked, isFault(error)
        ? error : nodeError("node.internal", "the credential could not be checked", { cause: error })),
    );
  }
}
