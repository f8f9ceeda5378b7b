/**
 * The way to a realm: over the network, or a function call inside the process. Types only; bytes are never looked into
 * here.
 */

export interface RealmAsk {
  readonly method: "GET" | "POST";
  /** Below the base of the identity service: `register`, `keys`. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface RealmAnswer {
  /** HTTP status. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Hears the frames of signaling. Contract: neither throws. */
export interface SignalingHear {
  frame(bytes: Uint8Array): void;
  /** Once: by either side, or because the way broke (1006). */
  ended(code: number, reason: string): void;
}

export interface SignalingPipe {
  /** Of the answer that opened it; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  /** After the end nothing is sent. */
  send(frame: Uint8Array): void;
  close(code: number, reason: string): void;
}

export interface SignalingDial {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Subprotocol: the in-band hello. */
  readonly protocol?: string;
  readonly hear: SignalingHear;
  readonly signal: AbortSignal;
}

export interface RealmDoor {
  /** Whether it leads over an interface of this machine: then changes of the network concern it. */
  readonly remote: boolean;
  /** Whatever the status is, it is an answer. Throws `node.unavailable` when there is none. */
  ask(request: RealmAsk, o: { readonly signal: AbortSignal }): Promise<RealmAnswer>;
  /**
   * Throws when it was refused: `node.permission_denied`, `node.overloaded` with `retry_after_ms`, `node.unavailable`;
   * with the fact `wire_code`, the HTTP status, when there was an answer.
   */
  dial(o: SignalingDial): Promise<SignalingPipe>;
}
