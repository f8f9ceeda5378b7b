/**
 * The messages before a peer is proved.
 * takes a fresh socket; gives its first messages one by one; promises that a stranger can make this process hold no
 * more than a few KiB; refuses text and what is too much; never loses what comes behind the last of them.
 */
import type { Socket as RawSocket } from "node:net";
import { nodeError, type NodeError } from "@atoll-run/core";
import type { Attempt } from "./attempt.ts";
import type { Ears, RawData, Socket } from "./ws.ts";

export class FirstMessages implements Disposable, Ears {
  readonly socket: Socket;
  readonly #raw: RawSocket;
  readonly #bytesMax: number;
  readonly #come: Uint8Array[] = [];
  readonly #count = (chunk: Uint8Array): void => this.#bytes(chunk.length);
  #bytesIn = 0;
  #wanted: PromiseWithResolvers<Uint8Array> | undefined;
  #fault: NodeError | undefined;

  constructor(socket: Socket, raw: RawSocket, bytesMax: number) {
    this.socket = socket;
    this.#raw = raw;
    this.#bytesMax = bytesMax;
    socket.hearBy(this);
    // Behind the library's own listener: a message that is whole has been given before its bytes count.
    raw.on("data", this.#count);
  }

  /** Throws `node.decode_failure` when what came is none, and what the connection ended with. */
  async next(attempt: Attempt): Promise<Uint8Array> {
    attempt.throwIfAborted();
    const first = this.#come.shift();
    if (first !== undefined) return first;
    if (this.#fault !== undefined) throw this.#fault;
    this.#wanted = Promise.withResolvers<Uint8Array>();
    using _hearing = attempt.hear((reason) => this.#wanted?.reject(reason));
    return await this.#wanted.promise;
  }

  /** Nothing more is awaited: the socket is paused, so that what follows stays where it is. */
  stop(): void {
    this.socket.pause();
    this.#raw.removeListener("data", this.#count);
  }

  /** What came behind the last that was awaited, in the same piece of the stream. */
  rest(): readonly Uint8Array[] {
    return this.#come.splice(0);
  }

  /** Whoever hears the socket next takes over. */
  [Symbol.dispose](): void {
    this.stop();
  }

  closed(code: number): void {
    this.#fail(ended(code));
  }

  leaving(code: number): void {
    this.#fail(ended(code));
  }

  ping(): void {}

  pong(): void {}

  message(data: RawData, isBinary: boolean): void {
    if (!isBinary || !(data instanceof Uint8Array)) {
      this.#fail(nodeError("node.decode_failure", "a hello is binary"));
      return;
    }
    if (this.#wanted === undefined) {
      this.#come.push(data);
      return;
    }
    this.#wanted.resolve(data);
    this.#wanted = undefined;
  }

  #bytes(count: number): void {
    this.#bytesIn += count;
    if (this.#bytesIn <= this.#bytesMax) return;
    this.socket.pause();
    this.#fail(nodeError("node.decode_failure", "too much before the proof"));
  }

  #fail(fault: NodeError): void {
    this.#fault ??= fault;
    this.#wanted?.reject(fault);
    this.#wanted = undefined;
  }
}

function ended(code: number): NodeError {
  return nodeError("node.unavailable", `the connection ended with code ${code} before it was proved`);
}
