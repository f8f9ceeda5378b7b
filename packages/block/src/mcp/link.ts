/**
 * One connected server. takes requests of any number at once; gives answers or faults in the words of the
 * specification; promises that every wait ends with its time, its signal or the server, and that `close`
 * leaves no process and no request; refuses when the server is gone.
 */
import {
  type BlockLimits, type Clock, isFault, isSecretKey, maskUrl, onAbort, Redactor, withDeadline,
} from "@atoll-run/core";
import type { HttpClient } from "../bridges/http/client.ts";
import type { ChildRunner } from "../children/runner.ts";
import { blockError } from "../errors.ts";
import type { Gate } from "../grants/create-gate.ts";
import { guardedFetch } from "./guarded-fetch.ts";
import type { Message, Pipe } from "./pipe.ts";
import { RequestProblem } from "./request-problem.ts";
import type { HttpPipe, httpPipe, Method, Session, SessionParts } from "./sdk.ts";
import { StdioPipe } from "./stdio.ts";
import { handshakeFailed, rpcFailed, serverExited, spawnFailed, timedOut } from "./texts.ts";
import type { McpCallOptions, McpHttpSpec, McpServerSpec, McpStdioSpec } from "./types.ts";
import { Wire } from "./wire.ts";

export interface LinkParts {
  readonly clock: Clock;
  readonly gate: Pick<Gate, "url">;
  readonly runner: ChildRunner;
  readonly client: () => Promise<HttpClient>;
  readonly limits: LinkLimits;
  readonly version: string;
  readonly asked: SessionParts["asked"];
  readonly noticed: SessionParts["noticed"];
  /** Somebody listens to the progress of calls. */
  readonly wantsProgress: () => boolean;
  readonly warn: (msg: string) => void;
  /** What goes wrong beside the calls; whatever matters comes back to its caller. */
  readonly debug: (msg: string) => void;
  /** The server has ended or was closed. */
  readonly down: () => void;
}

export type LinkLimits = Pick<BlockLimits, "httpBodyBytesMax" | "mcpStderrBytesMax" | "mcpStopMs">;

export interface OpenOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Capabilities as the protocol has them. */
  readonly capabilities: Message;
}

export interface Asking {
  /** Names the call in texts: `call_tool 'x' on 'n'`. */
  readonly what: string;
  readonly call: Pick<McpCallOptions, "signal" | "stop">;
  readonly timeoutMs: number;
  readonly onId?: ((id: number) => void) | undefined;
}

/** The door to the SDK, which is loaded late. */
export interface Sdk {
  readonly Session: typeof Session;
  readonly httpPipe: typeof httpPipe;
}

export class Link {
  readonly spec: McpServerSpec;
  readonly #parts: LinkParts;
  readonly #sdk: Sdk;
  readonly #wire: Wire;
  #session: Session | undefined;
  #stdio: StdioPipe | undefined;
  #http: HttpPipe | undefined;
  /** Why the last request over HTTP failed, in our own words. */
  #failure: unknown;
  #closing: Promise<boolean> | undefined;
  #down = false;

  private constructor(sdk: Sdk, spec: McpServerSpec, parts: LinkParts) {
    this.#sdk = sdk;
    this.spec = spec;
    this.#parts = parts;
    this.#wire = new Wire(parts.clock);
  }

  /** Starts or reaches a server. On failure nothing of it is left. */
  static async open(sdk: Sdk, spec: McpServerSpec, o: { parts: LinkParts } & OpenOptions): Promise<Link> {
    const link = new Link(sdk, spec, o.parts);
    const late = new AbortController();
    const what = "command" in spec ? `initialize '${spec.name}'`
      : `http connect '${spec.name}' to ${maskUrl(spec.url)}`;
    try {
      await withDeadline(async (signal) => {
        using _ = onAbort(signal, (reason) => late.abort(reason));
        await link.#open(o.capabilities, late.signal);
      }, { clock: o.parts.clock, ms: o.timeoutMs, signal: o.signal });
      return link;
    } catch (error) {
      const fault = link.#connectFault(error, { what, ...o });
      await link.close();
      throw fault;
    }
  }

  async #open(capabilities: Message, signal: AbortSignal): Promise<void> {
    const { version, asked, noticed, debug } = this.#parts;
    const pipe: Pipe = "command" in this.spec
      ? await this.#startChild(this.spec, signal) : this.#reach(this.spec);
    this.#session = new this.#sdk.Session({
      wire: this.#wire.carry(pipe), capabilities, version, asked, noticed, closed: () => this.#ended(),
      error: (error) => debug(error.message.slice(0, 300)),
    });
    await this.#session.connect(signal);
  }

  async #startChild(spec: McpStdioSpec, signal: AbortSignal): Promise<Pipe> {
    const { runner, clock, limits, warn } = this.#parts;
    const { command, args = [], cwd, env } = spec;
    const child = await runner.start(
      { command, args, cwd: cwd as string, env, stdin: "pipe", owner: "mcp" }, { signal },
    ).catch((error: unknown) => {
      if (!isFault(error) || error.code !== "sh.exec") throw error;
      const reason = String(error.facts["reason"] ?? error.message).replace(`${command}: `, "");
      throw spawnFailed(command, reason, error);
    });
    if (signal.aborted) {
      await child.kill();
      throw signal.reason;
    }
    this.#stdio = new StdioPipe({ child, clock, warn }, {
      messageBytesMax: limits.httpBodyBytesMax, stderrBytesMax: limits.mcpStderrBytesMax,
      stopMs: limits.mcpStopMs,
    });
    return this.#stdio;
  }

  #reach(spec: McpHttpSpec): Pipe {
    const { gate, client, limits } = this.#parts;
    const transport = spec.transport ?? "http";
    const fetch = guardedFetch({
      gate, client, wire: this.#wire, messageBytesMax: limits.httpBodyBytesMax,
      oneStream: transport === "sse",
      failed: (error) => (this.#failure = error), streamEnded: () => void this.#wire.close(),
    });
    const bearer = spec.authHeader === undefined ? {} : { authorization: `Bearer ${spec.authHeader}` };
    const headers = { ...spec.headers, ...bearer };
    this.#http = this.#sdk.httpPipe({ url: new URL(spec.url), headers, transport, fetch });
    return this.#http;
  }

  #ended(): void {
    if (this.#down) return;
    this.#down = true;
    this.#parts.down();
    // what a server that died has left of its group
    void this.close();
  }

  #connectFault(error: unknown, o: { what: string; timeoutMs: number; signal: AbortSignal }): unknown {
    if (o.signal.aborted) return o.signal.reason;
    const { name } = this.spec;
    if (isFault(error)) {
      if (error.code === "core.timed_out") return timedOut(o.what, name, o.timeoutMs);
      return error.code === "core.overloaded" ? spawnFailed(name, error.message, error) : error;
    }
    if (isFault(this.#failure)) return this.#failure;
    const ending = this.#stdio?.ending;
    const network = this.#failure instanceof Error ? networkReason(this.#failure) : undefined;
    const reason = ending !== undefined ? `server '${name}' ${ending}` : network ?? (error as Error).message;
    return handshakeFailed(o.what, name, { reason: this.#unsaid(reason), cause: error });
  }

  /** What the server said of itself. */
  get initialized(): Message {
    return this.#wire.initialized;
  }

  /** The result as the server sent it, of the right shape. */
  async request(method: Method, params: Message, o: Asking): Promise<Message> {
    if (this.#down || this.#session === undefined) throw this.#gone(o.what);
    const { call, timeoutMs, onId } = o;
    const late = (): Error => timedOut(o.what, this.spec.name, timeoutMs);
    try {
      const progress = method === "tools/call" && this.#parts.wantsProgress();
      const result = await this.#wire.ask(method, params, { call, timeoutMs, late, onId, progress });
      this.#session.check(method, result);
      return result;
    } catch (error) {
      throw this.#requestFault(error, o);
    }
  }

  #requestFault(error: unknown, o: Asking): unknown {
    const { name } = this.spec;
    const stop = o.call.stop ?? o.call.signal;
    if (stop.aborted) return stop.reason;
    if (isFault(error)) return error;
    const { kind, message, rpcCode, cause } = error as RequestProblem;
    if (kind === "closed" || this.#stdio?.ending !== undefined) return this.#gone(o.what);
    if (isFault(cause)) return cause;
    const reason = kind === "other" && cause instanceof Error ? networkReason(cause) : message;
    const code = kind === "rpc" ? rpcCode : undefined;
    return rpcFailed(o.what, name, { reason: this.#unsaid(reason), rpcCode: code, cause });
  }

  /** A bad server repeats in its errors what it was sent: keys are not told on. */
  #unsaid(text: string): string {
    const { spec } = this;
    if (!("url" in spec)) return text;
    const redactor = new Redactor();
    if (spec.authHeader !== undefined) redactor.add(spec.authHeader);
    for (const [name, value] of Object.entries(spec.headers ?? {})) {
      if (isSecretKey(name) || /auth/i.test(name)) redactor.add(value);
    }
    return redactor.text(text);
  }

  #gone(what: string): Error {
    const { name } = this.spec;
    const ending = this.#stdio?.ending;
    if (ending !== undefined) return serverExited(name, ending);
    const text = `MCP error: ${what}: connection closed`;
    return blockError("mcp.server_exited", text, { facts: { server: name, ending: "connection closed" } });
  }

  cancel(id: number): boolean {
    return this.#wire.end(id, new RequestProblem("cancelled", "cancelled"));
  }

  async notifyRoots(): Promise<void> {
    if (this.#down) throw this.#gone("roots/list_changed");
    await this.#session?.notify("notifications/roots/list_changed");
  }

  /** Ends the server; true when it had to be killed. */
  close(): Promise<boolean> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<boolean> {
    const { clock, limits } = this.#parts;
    if (this.#http !== undefined && !this.#down) {
      const bound = { clock, ms: limits.mcpStopMs };
      await withDeadline(() => this.#http?.terminate(), bound).catch(() => undefined);
    }
    await this.#wire.close().catch(() => undefined);
    await this.#http?.close().catch(() => undefined);
    if (!this.#down) {
      this.#down = true;
      this.#parts.down();
    }
    return this.#stdio?.killed ?? false;
  }
}

/** Words of a network error; those of its cause where `fetch` has none of its own. */
function networkReason(error: Error): string {
  const first = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  const { message, code } = first as NodeJS.ErrnoException;
  return message !== "" ? message : code ?? first.name;
}
