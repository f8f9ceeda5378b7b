/**
 * The connected servers of one scope, by name. takes specs; gives links; promises that a name has one server
 * at a time, that grants and guard are asked before anything is reached, and that `close` ends all at once;
 * refuses names that nobody connected.
 */
import { resolve } from "node:path";
import { isFault, isSecretKey, isSecretName, maskUrl } from "@atoll-run/core";
import { blockError } from "../errors.ts";
import type { Hearing } from "./hearing.ts";
import { Link } from "./link.ts";
import type { Notices } from "./notices.ts";
import type { Message } from "./pipe.ts";
import type { McpLimits, McpParts } from "./parts.ts";
import { handshakeFailed, unknownServer } from "./texts.ts";
import type { McpCallOptions, McpCapability, McpHttpSpec, McpServerSpec, McpStdioSpec } from "./types.ts";

interface Entry {
  /** Settles when the server is connected, or is known not to be. */
  readonly opening: Promise<Link>;
  readonly notices: Notices;
  link: Link | undefined;
}

const CAPABILITIES: readonly McpCapability[] = ["sampling", "roots", "elicitation"];

export class Connections {
  readonly #parts: McpParts;
  readonly #limits: McpLimits;
  readonly #hearing: Hearing;
  readonly #entries = new Map<string, Entry>();
  /** Servers that are being closed, or were replaced. */
  readonly #closing = new Set<Promise<void>>();
  readonly #ended = new AbortController();
  /** Names of servers that had to be killed. */
  readonly killed: string[] = [];

  constructor(parts: McpParts, limits: McpLimits, hearing: Hearing) {
    this.#parts = parts;
    this.#limits = limits;
    this.#hearing = hearing;
  }

  /** Throws `run.cancelled` once `close` was called. */
  mustBeOpen(): void {
    if (this.#ended.signal.aborted) throw blockError("run.cancelled", "cancelled");
  }

  has(server: string): boolean {
    return this.#entries.get(server)?.link !== undefined;
  }

  /** `op` names the call in the warning about a name that is not known. */
  link(server: string, op: string): Link {
    const link = this.#entries.get(server)?.link;
    if (link !== undefined) return link;
    this.#warn(`mcp ${op} on unknown server`, server);
    throw unknownServer(server);
  }

  async open(given: McpServerSpec, o: McpCallOptions): Promise<void> {
    this.#parts.gate.mcp(given.name, "");
    const spec = "url" in given
      ? await this.#admitUrl(given, o.signal) : await this.#admitProgram(given, o.signal);
    this.mustBeOpen();
    const { name } = spec;
    const old = this.#entries.get(name);
    const notices = this.#hearing.notices(name);
    const opening = (async () => {
      if (old !== undefined) await this.#end(name, old);
      return await this.#connect(spec, notices, o);
    })();
    const entry: Entry = { opening, notices, link: undefined };
    this.#entries.set(name, entry);
    try {
      entry.link = await opening;
    } catch (error) {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
      if (isFault(error) && error.code === "mcp.timeout") this.#warn("mcp initialize timed out", name);
      throw error;
    }
    // replaced or closed in the meantime: whoever did that ends it
    if (this.#entries.get(name) === entry) this.#parts.state({ server: name, state: "up" });
  }

  async #admitUrl(spec: McpHttpSpec, signal: AbortSignal): Promise<McpHttpSpec> {
    const { gate, guard, secret } = this.#parts;
    const url = URL.parse(spec.url);
    if (url === null) {
      const what = `http connect '${spec.name}' to ${maskUrl(spec.url)}`;
      throw handshakeFailed(what, spec.name, { reason: "invalid URL", cause: undefined });
    }
    gate.url(url);
    if (spec.authHeader !== undefined) secret(spec.authHeader);
    for (const [name, value] of Object.entries(spec.headers ?? {})) {
      if (isSecretKey(name) || /auth/i.test(name)) secret(value);
    }
    const args = [spec.name, maskUrl(spec.url)];
    await guard?.({ grant: `net:${url.host}`, what: "mcp.connect_http", args, signal });
    return spec;
  }

  async #admitProgram(spec: McpStdioSpec, signal: AbortSignal): Promise<McpStdioSpec> {
    const { gate, guard, projectRoot, secret } = this.#parts;
    const cwd = resolve(projectRoot, spec.cwd ?? ".");
    const command = spec.command.includes("/") ? resolve(cwd, spec.command) : spec.command;
    gate.run(command, false);
    for (const [name, value] of Object.entries(spec.env ?? {})) if (isSecretName(name)) secret(value);
    const args = [spec.name, command, [...spec.args ?? []]];
    await guard?.({ grant: `run:${command}`, what: "mcp.connect", args, signal });
    return { ...spec, command, cwd };
  }

  async #connect(spec: McpServerSpec, notices: Notices, o: McpCallOptions): Promise<Link> {
    const sdk = await import("./sdk.ts");
    const { name } = spec;
    const { clock, gate, runner, client, version, state } = this.#parts;
    const advertised = new Set(CAPABILITIES.filter((one) =>
      spec.capabilities?.[one] !== false && !gate.mcpWithholds(name, one)));
    return await Link.open(sdk, spec, {
      parts: {
        clock, gate, runner, client, limits: this.#limits, version, warn: (msg) => this.#warn(msg, name),
        debug: (msg) => this.#parts.log("debug", "mcp", msg, { server: name }),
        asked: this.#hearing.asked(name, {
          advertised, refuse: (why, message) => new sdk.RequestRefused(why, message),
        }),
        noticed: this.#hearing.noticed(name, notices), wantsProgress: () => this.#hearing.hears("progress", name),
        down: () => state({ server: name, state: "down" }),
      },
      signal: AbortSignal.any([o.signal, this.#ended.signal]), capabilities: toCapabilities(advertised),
      timeoutMs: o.timeoutMs ?? spec.timeoutMs ?? this.#limits.mcpMs,
    });
  }

  /** An unknown name is fine. */
  async disconnect(server: string): Promise<void> {
    const entry = this.#entries.get(server);
    if (entry === undefined) return;
    this.#entries.delete(server);
    await this.#end(server, entry);
  }

  /** Ends every server; nothing connects afterwards. */
  async close(): Promise<void> {
    this.#ended.abort(blockError("run.cancelled", "cancelled"));
    const own = [...this.#entries].map(([name, entry]) => this.#end(name, entry));
    this.#entries.clear();
    await Promise.all([...own, ...this.#closing]);
  }

  #end(name: string, entry: Entry): Promise<void> {
    entry.notices.close();
    const ending = (async () => {
      const link = await entry.opening.catch(() => undefined);
      if (await link?.close() === true) this.killed.push(name);
    })();
    this.#closing.add(ending);
    return ending.finally(() => this.#closing.delete(ending));
  }

  #warn(msg: string, server: string): void {
    this.#parts.log("warn", "mcp", msg, { server });
  }
}

function toCapabilities(advertised: ReadonlySet<McpCapability>): Message {
  return {
    ...(advertised.has("sampling") ? { sampling: {} } : {}),
    ...(advertised.has("roots") ? { roots: { listChanged: true } } : {}),
    ...(advertised.has("elicitation") ? { elicitation: { form: {} } } : {}),
  };
}
