/**
 * The handshake of who knocks, in its three forms (spec: wire 6.2, 6.3): hello in headers, hello in the first messages,
 * and the legacy headers alone.
 */
import type { IncomingMessage } from "node:http";
import type { Socket as RawSocket } from "node:net";
import type { Duplex } from "node:stream";
import { nodeError, type LinkPeer } from "@atoll-run/core";
import type { Answered, Greetings, Proved, Shown } from "../../identity/hello.ts";
import type { Attempt } from "./attempt.ts";
import { asksInBand, helloHeader, readHelloHeader, readShown } from "./headers.ts";
import { FirstMessages } from "./first-messages.ts";
import type { OnePerTurn } from "../one-per-turn.ts";
import { isLoopback } from "./places.ts";
import type { Socket, Upgrader } from "./ws.ts";

export interface Knock {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

export interface AcceptParts {
  readonly greetings: Greetings;
  readonly upgrader: Upgrader;
  /** Of all handshakes: each of their signatures waits for one. */
  readonly turns: OnePerTurn;
  /** Values of `Origin` that may use the in-band form; `*` = all. Who sends no origin is no page. */
  readonly origins: readonly string[];
  /** All that may come in before the proof. */
  readonly bytesMax: number;
}

/** Somebody who has shown who it is. The socket is paused. */
export interface Came {
  readonly socket: Socket;
  readonly raw: RawSocket;
  readonly peer: LinkPeer;
  readonly opening: Uint8Array | undefined;
  readonly remote_address: string | undefined;
  /** Messages that came right behind the proof. */
  readonly early: readonly Uint8Array[];
}

/** Before the upgrade: throws what HTTP can say. Afterwards `upgraded` is called, and close codes say it. */
export async function accept(
  parts: AcceptParts, knock: Knock, o: { readonly attempt: Attempt; readonly upgraded: (socket: Socket) => void },
): Promise<Came> {
  const { headers } = knock.request;
  const raw = knock.socket as RawSocket;
  const came = { raw, remote_address: raw.remoteAddress };
  const hello = readHelloHeader(headers);
  const shown = readShown(headers);
  const upgrade = (more: readonly string[], inBand: boolean): Promise<FirstMessages> => {
    o.attempt.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<FirstMessages>();
    parts.upgrader.take(knock, { headers: more, inBand }, (socket) => {
      o.upgraded(socket);
      resolve(new FirstMessages(socket, raw, parts.bytesMax));
    });
    return promise;
  };
  if (shown !== undefined) {
    await parts.turns.take();
    const who = await parts.greetings.show(shown.credential, shown.source, o.attempt);
    if (hello === undefined) {
      const peer = parts.greetings.bearer(who, isLoopback(raw.remoteAddress));
      using first = await upgrade([], false);
      first.stop();
      return { ...came, socket: first.socket, peer, opening: undefined, early: first.rest() };
    }
    const answered = await parts.greetings.answer(hello);
    using first = await upgrade([`X-Atoll-Hello: ${helloHeader(answered.hello_s)}`], false);
    return { ...came, socket: first.socket, ...await prove(parts, first, { answered, who, attempt: o.attempt }) };
  }
  if (!asksInBand(headers)) throw nodeError("node.permission_denied", "who knocks must show a credential");
  checkOrigin(headers.origin, parts.origins);
  using first = await upgrade([], true);
  const hello_c = await first.next(o.attempt);
  await parts.turns.take();
  const answered = await parts.greetings.answer(hello_c);
  first.socket.send(answered.hello_s);
  const credential = await first.next(o.attempt);
  await parts.turns.take();
  const who = await parts.greetings.show(credential, undefined, o.attempt);
  return { ...came, socket: first.socket, ...await prove(parts, first, { answered, who, attempt: o.attempt }) };
}

async function prove(
  { greetings, turns }: AcceptParts, first: FirstMessages,
  o: { readonly answered: Answered; readonly who: Shown; readonly attempt: Attempt },
): Promise<Proved & Pick<Came, "early">> {
  const proof = await first.next(o.attempt);
  first.stop();
  await turns.take();
  return { ...await greetings.admit(o.answered, o.who, proof), early: first.rest() };
}

function checkOrigin(origin: string | undefined, origins: readonly string[]): void {
  if (origin === undefined || origins.includes(origin) || origins.includes("*")) return;
  throw nodeError("node.proof_required", `pages of ${origin} may not connect`, { hint: "Name the origin in listen.origins." });
}
