/**
 * One block that serves the tools of a project to one client.
 * takes calls; gives what the handlers return; promises that calls run beside each other and that a cancelled
 * one ends; refuses a tool that nobody registered; never outlives its client. A block that dies fails its
 * open calls, and the next call starts another.
 */
import type { BlockResult } from "@atoll-run/block";
import { type Json, type Log, must } from "@atoll-run/core";
import { type RunConfig, type StartedBlock, startBlock } from "../compose/run-block.ts";
import type { BlockSource } from "./blocks.ts";
import { BLOCKS_GLOBAL, DOORS, RUNNER } from "./runner.ts";

type JsonObject = { readonly [key: string]: Json };

/** As a handler registered it. */
export interface ServedTool {
  readonly name: string;
  readonly description?: string;
  readonly title?: string;
  readonly input_schema?: Json;
  readonly output_schema?: Json;
  readonly annotations?: Json;
}

/** What a handler may do while it runs. */
export interface CallHooks {
  progress(fact: { progress: number; total?: number; message?: string }): void;
  log(fact: { level: string; data: Json; logger?: string }): void;
  /** Asks the client's model, or its user. Rejects when the client will not. */
  ask(kind: "sample" | "elicit", params: JsonObject): Promise<Json>;
  /** Aborted when the client takes the call back. */
  readonly signal: AbortSignal;
}

export type CallEnd = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly text: string };

export interface ToolHostParts {
  readonly blocks: readonly BlockSource[];
  /** Tools keep the names they were registered with. */
  readonly plainNames: boolean;
  /** Everything of the block but its script and its tools. */
  readonly config: Omit<RunConfig, "script" | "hostTools" | "globals">;
  readonly log: Log;
  /** Milliseconds that loading the blocks may take. */
  readonly loadMsMax: number;
}

/** Open calls of one client; more wait nowhere and are refused. */
const CALLS_MAX = 256;

interface OpenCall {
  readonly hooks: CallHooks;
  end(end: CallEnd): void;
}

export class ToolHost implements AsyncDisposable {
  readonly #parts: ToolHostParts;
  #session: Session | undefined;
  #closed = false;

  constructor(parts: ToolHostParts) {
    this.#parts = parts;
  }

  /** Rejects when the blocks cannot be loaded. */
  async tools(): Promise<readonly ServedTool[]> {
    return await this.#running().tools;
  }

  async call(name: string, input: Json, hooks: CallHooks): Promise<CallEnd> {
    const session = this.#running();
    const tools = await session.tools;
    if (!tools.some((tool) => tool.name === name)) return { ok: false, text: `tool not found: ${name}` };
    return await session.call(name, input, hooks);
  }

  #running(): Session {
    if (this.#closed) throw new Error("the client is gone");
    if (this.#session === undefined || this.#session.over) this.#session = new Session(this.#parts);
    return this.#session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#session?.close();
  }
}

/** One run of the block. */
class Session {
  readonly tools: Promise<readonly ServedTool[]>;
  readonly #parts: ToolHostParts;
  readonly #run: StartedBlock;
  readonly #calls = new Map<number, OpenCall>();
  /** Messages for the script, and the script that waits for one. */
  readonly #messages: JsonObject[] = [];
  #waiting: ((message: JsonObject) => void) | undefined;
  #told = Promise.withResolvers<readonly ServedTool[]>();
  #lastId = 0;
  over = false;

  constructor(parts: ToolHostParts) {
    this.#parts = parts;
    this.tools = this.#told.promise;
    this.tools.catch(() => undefined);
    this.#run = startBlock({
      ...parts.config, script: { source: RUNNER, name: "atoll-mcp" },
      globals: { [BLOCKS_GLOBAL]: { blocks: parts.blocks,
        plain_names: parts.plainNames } as unknown as Json },
      hostTools: [
        this.#door(DOORS.next, (_input, signal) => this.#next(signal)),
        this.#door(DOORS.tell, (input) => this.#hear(input)),
        this.#door(DOORS.ask, (input) => this.#ask(input)),
      ],
    });
    const timer = setTimeout(() => this.#run.cancel("the blocks were not loaded in time"), parts.loadMsMax);
    this.tools.finally(() => clearTimeout(timer)).catch(() => undefined);
    this.#run.result.then((result) => this.#ended(result), (error: unknown) => this.#ended(error as Error));
  }

  call(name: string, input: Json, hooks: CallHooks): Promise<CallEnd> {
    if (this.over) return Promise.resolve({ ok: false, text: "the block has ended" });
    if (this.#calls.size >= CALLS_MAX) {
      return Promise.resolve({ ok: false, text: `more than ${CALLS_MAX} calls are open` });
    }
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const cancel = (): void => {
        this.#calls.get(id)?.end({ ok: false, text: "cancelled" });
        this.#send({ kind: "cancel", id });
      };
      this.#calls.set(id, { hooks, end: (end) => {
        this.#calls.delete(id);
        hooks.signal.removeEventListener("abort", cancel);
        resolve(end);
      } });
      hooks.signal.addEventListener("abort", cancel);
      this.#send({ kind: "call", id, name, input });
    });
  }

  async close(): Promise<void> {
    this.#run.cancel("the client is gone");
    await this.#run.result.catch(() => undefined);
  }

  #door(name: string, handler: (input: JsonObject, signal: AbortSignal) => Promise<Json> | Json) {
    return { name, description: "", input_schema: {},
      handler: (input: Json, { signal }: { signal: AbortSignal }) => handler((input ?? {}) as JsonObject,
        signal) };
  }

  #send(message: JsonObject): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#messages.push(message);
    else waiting(message);
  }

  #next(signal: AbortSignal): Promise<Json> | Json {
    const ready = this.#messages.shift();
    if (ready !== undefined) return ready;
    return new Promise((resolve) => {
      this.#waiting = resolve;
      signal.addEventListener("abort", () => resolve({ kind: "end" }), { once: true });
    });
  }

  #hear(fact: JsonObject): Json {
    const call = this.#calls.get(Number(fact["id"]));
    switch (fact["kind"]) {
      case "tools": this.#told.resolve(list(fact["tools"]) as unknown as ServedTool[]); break;
      case "broken": this.#parts.log.write({ level: "error", target: "mcp",
        msg: `block '${String(fact["block"])}' cannot be served: ${String(fact["problem"])}` }); break;
      case "progress": call?.hooks.progress(fact as unknown as Parameters<CallHooks["progress"]>[0]); break;
      case "log": call?.hooks.log(fact as unknown as Parameters<CallHooks["log"]>[0]); break;
      case "done": call?.end(fact["ok"] === true ? { ok: true, value: fact["value"] ?? null }
        : { ok: false, text: String(fact["value"]) }); break;
    }
    return null;
  }

  async #ask({ kind, id, params, message, schema }: JsonObject): Promise<Json> {
    const call = must(this.#calls.get(Number(id)), "a question of a call that is over");
    if (kind === "sample") return await call.hooks.ask("sample", (params ?? {}) as JsonObject);
    return await call.hooks.ask("elicit", { message: message ?? "", requestedSchema: schema ?? {} });
  }

  #ended(end: BlockResult | Error): void {
    this.over = true;
    const text = end instanceof Error ? end.message : "the block has ended";
    this.#told.reject(end instanceof Error ? end : new Error(text));
    for (const call of [...this.#calls.values()]) call.end({ ok: false, text });
  }
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value as readonly Json[] : [];
}
