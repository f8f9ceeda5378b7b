/**
 * Stands between us and the way to a server. takes our requests, and the messages of the SDK's client, which
 * shakes hands, tells what servers notify and answers what they ask; gives answers as the server sent them;
 * promises that every wait for one ends: with its time, its signal, `end` or the connection. Requests of ours
 * pass the client by, since its own way takes several times as long; the only one it makes is `initialize`.
 */
import { type Clock, onAbort } from "@atoll-run/core";
import { JsonText } from "../bridges/op.ts";
import { isInexact, parseExact } from "./exact.ts";
import { failure, type Message, type Pipe } from "./pipe.ts";
import { RequestProblem } from "./request-problem.ts";
import type { McpCallOptions } from "./types.ts";

export interface AskOptions {
  /** Whose reason is that of the end. */
  readonly call: Pick<McpCallOptions, "signal" | "stop">;
  /** Milliseconds until `late` is the reason of the end; Infinity = never. */
  readonly timeoutMs: number;
  readonly late: () => Error;
  readonly onId?: ((id: number) => void) | undefined;
  /** The server is to tell how far it is: work for it, so only where somebody listens. */
  readonly progress: boolean;
}

/** A request of ours, and who waits for its answer. */
interface Asked {
  resolve(result: Message): void;
  reject(error: unknown): void;
  readonly listening: Disposable;
  /** On the monotonic clock, milliseconds. */
  readonly dueAt: number;
  readonly late: () => Error;
}

interface Open {
  /** Absent: the client of the SDK asked. */
  readonly asked?: Asked;
  /** Made for whoever wants to know when the request is over. */
  abort?: AbortController;
  exact?: unknown;
}

/** The client of the SDK counts from 0 and asks once. */
const FIRST_ID = 1;

export class Wire implements Pipe {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: Message) => void;
  /** The answer to `initialize`. */
  initialized: Message = {};
  readonly #clock: Clock;
  readonly #open = new Map<number, Open>();
  #inner: Pipe | undefined;
  #next = FIRST_ID;
  #ended = false;
  /** One timer for all requests, set for the first that is due when it was set; it may find nothing due. */
  #timer: Disposable | undefined;
  #lookAt = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The way, which may know the wire. To be given before `start`. */
  carry(inner: Pipe): this {
    this.#inner = inner;
    Object.assign(inner, {
      onmessage: (message: Message, text?: unknown) => this.#hear(message, text),
      onclose: () => this.#end(), onerror: (error: Error) => this.onerror?.(error),
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
    if (typeof message["id"] === "number" && "method" in message) this.#open.set(message["id"], {});
    return (this.#inner as Pipe).send(message, options);
  }

  async close(): Promise<void> {
    for (const { abort } of this.#open.values()) abort?.abort(new Error("the connection is closed"));
    await this.#inner?.close();
  }

  setProtocolVersion(version: string): void {
    this.#inner?.setProtocolVersion?.(version);
  }

  #end(): void {
    this.#ended = true;
    this.onclose?.();
    for (const id of [...this.#open.keys()]) {
      this.#take(id)?.reject(new RequestProblem("closed", "connection closed"));
    }
    this.#timer?.[Symbol.dispose]();
  }

  // ---- what we ask

  /**
   * The result as the server sent it; a `JsonText` among the params is sent as it is. Throws RequestProblem,
   * the reason of the call's end, or `late()`; then the server has been told that nobody waits any more.
   */
  ask(method: string, params: Message, o: AskOptions): Promise<Message> {
    const { call, timeoutMs, late } = o;
    return new Promise((resolve, reject) => {
      if (this.#ended) throw new RequestProblem("closed", "connection closed");
      const stop = call.stop ?? call.signal;
      if (stop.aborted) throw stop.reason;
      const id = this.#next++;
      const dueAt = this.#clock.monotonic() + timeoutMs;
      const cancel = (reason: unknown): void => void this.end(id, reason);
      const listening = call.stop?.hear(cancel) ?? onAbort(call.signal, cancel);
      this.#open.set(id, { asked: { resolve, reject, listening, dueAt, late } });
      this.#lookBy(dueAt);
      o.onId?.(id);
      this.#post(id, method, o.progress ? withProgress(params, id) : params);
    });
  }

  #post(id: number, method: string, params: Message): void {
    const inner = this.#inner as Pipe;
    const fail = (error: unknown): void => {
      const text = error instanceof Error ? error.message : String(error);
      this.#take(id)?.reject(new RequestProblem("other", text, { cause: error }));
    };
    if (inner.sendText === undefined) {
      inner.send({ method, params: withoutText(params), jsonrpc: "2.0", id }).catch(fail);
      return;
    }
    try {
      inner.sendText(`{"method":"${method}","params":${toText(params)},"jsonrpc":"2.0","id":${id}}`);
    } catch (error) {
      fail(error);
    }
  }

  /** Ends the wait for an answer, and tells the server; false for what is no request of ours under way. */
  end(id: number, reason: unknown): boolean {
    const asked = this.#open.get(id)?.asked;
    if (asked === undefined) return false;
    this.#take(id);
    asked.reject(reason);
    const params = { requestId: id, reason: String(reason) };
    const told = this.#inner?.send({ jsonrpc: "2.0", method: "notifications/cancelled", params });
    told?.catch((error: unknown) => {
      this.onerror?.(new Error(`failed to send a cancellation: ${String(error)}`));
    });
    return true;
  }

  #lookBy(at: number): void {
    if (at >= this.#lookAt) return;
    this.#timer?.[Symbol.dispose]();
    this.#lookAt = at;
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.monotonic()), () => this.#look());
  }

  /** Ends what is due. */
  #look(): void {
    this.#lookAt = Infinity;
    const now = this.#clock.monotonic();
    let next = Infinity;
    for (const [id, { asked }] of this.#open) {
      if (asked === undefined) continue;
      if (asked.dueAt <= now) this.end(id, asked.late());
      else next = Math.min(next, asked.dueAt);
    }
    this.#lookBy(next);
  }

  // ---- what comes

  #hear(message: Message, text: unknown): void {
    const id = "method" in message ? NaN : Number(message["id"]);
    const open = this.#open.get(id);
    if (open !== undefined && typeof text === "string") this.heardText(text);
    if (open?.asked !== undefined) {
      this.#answer(id, open, message);
      return;
    }
    if (open !== undefined) {
      this.initialized = (open.exact ?? message["result"] ?? {}) as Message;
      this.#take(id);
    }
    this.onmessage?.(message);
  }

  #answer(id: number, open: Open, { result, error }: Message): void {
    const asked = this.#take(id);
    if (isObject(result)) {
      asked?.resolve((open.exact ?? result) as Message);
      return;
    }
    const { code, message } = isObject(error) ? error : {};
    const said = Number.isSafeInteger(code) && typeof message === "string";
    asked?.reject(said ? new RequestProblem("rpc", message, { rpcCode: code as number })
      : new RequestProblem("invalid", "invalid answer: neither a result nor an error"));
  }

  /** The request is over, with its answer or without. */
  #take(id: number): Asked | undefined {
    const open = this.#open.get(id);
    if (open === undefined) return undefined;
    this.#open.delete(id);
    const { asked, abort } = open;
    // not while the way is still giving us the answer
    if (abort !== undefined) queueMicrotask(() => abort.abort(new Error("the request is over")));
    asked?.listening[Symbol.dispose]();
    return asked;
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

  isOpen(id: number): boolean {
    return this.#open.has(id);
  }

  /** Aborts when nobody waits for this answer any more; undefined for an id that is not under way. */
  signalOf(id: number): AbortSignal | undefined {
    const open = this.#open.get(id);
    return open === undefined ? undefined : (open.abort ??= new AbortController()).signal;
  }

  /** Ends the wait for an answer that cannot come. */
  fail(id: number, why: string): void {
    if (this.#open.has(id)) this.#hear(failure(id, why), undefined);
  }
}

function isObject(value: unknown): value is Message {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Asks for progress under the request's own id; who hears it is told by the client's notices. */
function withProgress(params: Message, id: number): Message {
  return { ...params, _meta: { ...params["_meta"] as Message | undefined, progressToken: id } };
}

function toText(params: Message): string {
  let text = "";
  for (const key of Object.keys(params)) {
    const value = params[key];
    const written = value instanceof JsonText ? value.text : JSON.stringify(value);
    if (written !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${written}`;
  }
  return `{${text}}`;
}

function withoutText(params: Message): Message {
  return Object.fromEntries(Object.entries(params).map(([key, value]) =>
    [key, value instanceof JsonText ? parseExact(value.text) : value]));
}
