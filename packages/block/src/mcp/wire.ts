/**
 * Stands between the SDK's client and the way to a server, and knows the requests under way: their ids, their
 * answers as the server sent them, and how to let go of them.
 */
import { isInexact, parseExact } from "./exact.ts";
import { failure, type Message, type Pipe } from "./pipe.ts";

interface Open {
  /** Made for whoever wants to know when the request is over. */
  abort?: AbortController;
  answer?: unknown;
  exact?: unknown;
}

export class Wire implements Pipe {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: Message) => void;
  readonly #open = new Map<number, Open>();
  #sent: ((id: number) => void) | undefined;
  #inner: Pipe | undefined;

  /** The way, which may know the wire. To be given before `start`. */
  carry(inner: Pipe): this {
    this.#inner = inner;
    Object.assign(inner, {
      onmessage: (message: Message) => this.#hear(message),
      onclose: () => this.onclose?.(), onerror: (error: Error) => this.onerror?.(error),
    });
    return this;
  }

  get sessionId(): string | undefined {
    return this.#inner?.sessionId;
  }

  start(): Promise<void> {
    return (this.#inner as Pipe).start();
  }

  send(message: Message, options?: object): Promise<void> {
    if (typeof message["id"] === "number" && "method" in message) {
      this.#open.set(message["id"], {});
      this.#sent?.(message["id"]);
    }
    return (this.#inner as Pipe).send(message, options);
  }

  async close(): Promise<void> {
    for (const { abort } of this.#open.values()) abort?.abort(new Error("the connection is closed"));
    await this.#inner?.close();
  }

  setProtocolVersion(version: string): void {
    this.#inner?.setProtocolVersion?.(version);
  }

  #hear(message: Message): void {
    const open = "method" in message ? undefined : this.#open.get(Number(message["id"]));
    if (open !== undefined) open.answer = message["result"];
    this.onmessage?.(message);
  }

  /** Hears the id of the request that `make` sends before it returns. */
  naming<T>(hear: (id: number) => void, make: () => T): T {
    this.#sent = hear;
    try {
      return make();
    } finally {
      this.#sent = undefined;
    }
  }

  /** The same for a request that is sent some time before `make` settles. */
  async namingFirst<T>(hear: (id: number) => void, make: () => Promise<T>): Promise<T> {
    this.#sent = hear;
    try {
      return await make();
    } finally {
      this.#sent = undefined;
    }
  }

  /** The text of a message that is about to come: numbers that the message itself lost are kept from it. */
  heardText(text: string): void {
    if (this.#open.size === 0 || !isInexact(text)) return;
    try {
      const { id, result } = parseExact(text) as Message;
      const open = this.#open.get(Number(id));
      if (open !== undefined && result !== undefined) open.exact = result;
    } catch {
      // not JSON: the way itself says so
    }
  }

  /** The `result` of an answer, as it was sent. */
  answer(id: number): unknown {
    const open = this.#open.get(id);
    return open?.exact ?? open?.answer;
  }

  isOpen(id: number): boolean {
    return this.#open.has(id);
  }

  /** Aborts when nobody waits for this answer any more; undefined for an id that is not under way. */
  signalOf(id: number): AbortSignal | undefined {
    const open = this.#open.get(id);
    return open === undefined ? undefined : (open.abort ??= new AbortController()).signal;
  }

  /** The request is over, with its answer or without. */
  forget(id: number): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    open?.abort?.abort(new Error("the request is over"));
  }

  /** Ends the wait for an answer that cannot come. */
  fail(id: number, why: string): void {
    if (this.#open.has(id)) this.#hear(failure(id, why));
  }

  failAll(why: string): void {
    for (const id of [...this.#open.keys()]) this.fail(id, why);
  }
}
