/**
 * Who hears and answers the servers of one scope: a listener for each kind of notice and a handler for each
 * kind of question, of one server or of all; that of the one server goes first.
 */
import { answerAsked, type Refuse } from "./asks.ts";
import { Notices, toNotice } from "./notices.ts";
import type { McpLimits, McpParts } from "./parts.ts";
import type { SessionParts } from "./sdk.ts";
import type { McpCapability, McpHandlers, McpListener, McpNoticeType } from "./types.ts";

export class Hearing {
  readonly #parts: Pick<McpParts, "log">;
  readonly #limits: McpLimits;
  readonly #listeners = new Map<string, McpListener>();
  readonly #handlers = new Map<string, McpHandlers[keyof McpHandlers]>();

  constructor(parts: Pick<McpParts, "log">, limits: McpLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  listen(type: McpNoticeType, server: string | undefined, hear: McpListener | undefined): void {
    put(this.#listeners, keyOf(type, server), hear);
  }

  handle<K extends keyof McpHandlers>(
    what: K, server: string | undefined, answer: McpHandlers[K] | undefined,
  ): void {
    put(this.#handlers, keyOf(what, server), answer);
  }

  /** The queue of a new server. */
  notices(server: string): Notices {
    return new Notices({
      server, limit: this.#limits.mcpNotificationsMax, log: (...line) => this.#parts.log(...line),
      listener: (type) => this.#listener(type, server),
    });
  }

  /** Would anybody hear a notice of this type? */
  hears(type: McpNoticeType, server: string): boolean {
    return this.#listener(type, server) !== undefined;
  }

  #listener(type: McpNoticeType, server: string): McpListener | undefined {
    return this.#listeners.get(keyOf(type, server)) ?? this.#listeners.get(keyOf(type));
  }

  noticed(server: string, notices: Notices): SessionParts["noticed"] {
    return (method, params) => {
      const notice = toNotice(server, method, params);
      if (notice !== undefined) notices.push(notice);
    };
  }

  asked(
    server: string, o: { readonly advertised: ReadonlySet<McpCapability>; readonly refuse: Refuse },
  ): SessionParts["asked"] {
    return (method, params, signal) => answerAsked({
      ...o, server, warn: (msg) => this.#parts.log("warn", "mcp", msg, { server }),
      handler: (what) =>
        (this.#handlers.get(keyOf(what, server)) ?? this.#handlers.get(keyOf(what))) as never,
    }, method, { params, signal });
  }
}

function keyOf(what: string, server = ""): string {
  return `${what}:${server}`;
}

function put<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
