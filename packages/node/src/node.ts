/**
 * A node: one workload, one identity, one mailbox (spec: node 2, 2.1).
 *
 * takes parts, settings and a workload; gives a handle; promises that what cannot follow does not compile, and throws
 * `node.wrong_state` all the same; refuses a second start; never does anything before `register` or `start`.
 *
 * configured → linked or attached: it has a workload. → registered: it has an identity, and holds its part of the store.
 * → running: the handle has it. Any → closed: by `close`, or because a start failed; it cannot be started again.
 */
import { nodeError, parseType, type ActorType, type Workload } from "@atoll-run/core";
import type { CloseReport } from "./life/close.ts";
import { toObserver } from "./life/observe.ts";
import type { NodeParts, NodeSettings } from "./life/parts.ts";
import { Running, type NodeHandle } from "./life/running.ts";
import { Start, type StartOptions } from "./life/start.ts";
import { findTracer } from "./observe/find-tracer.ts";
import type { Hooks } from "./service/hooks.ts";
import type { Impl } from "./service/service.ts";

export type NodeState = "configured" | "linked" | "attached" | "registered";
type Startable = "linked" | "attached" | "registered";

export interface Node<S extends NodeState = NodeState> extends AsyncDisposable {
  readonly state: S | "running" | "closed";
  /** Functions of this process. */
  link(this: Node<"configured">, impl: Impl): Node<"linked">;
  /** Anything else that can be a workload. */
  attach(this: Node<"configured">, workload: Workload): Promise<Node<"attached">>;
  /** Hears each event after the workload has. */
  observe(hooks: Partial<Hooks>): this;
  /** Steps 1 to 8 of the start: store, identity. A node without a realm takes its part of the store alone. */
  register(this: Node<"linked" | "attached">, o?: StartOptions): Promise<Node<"registered">>;
  /** All that is left of the start. What it throws has the facts `step`, `step_name` and `rollback`. */
  start(this: Node<Startable>, o?: StartOptions): Promise<NodeHandle>;
  close(): Promise<CloseReport>;
}

/** Parts that have to be opened first, and let go of last. */
export interface OpenedParts {
  readonly parts: NodeParts;
  close(): Promise<void>;
}

/** A node's own; what others have opened stays open. `type` may come from what is linked. */
export interface NodeOptions extends Omit<NodeSettings, "type"> {
  readonly type?: ActorType;
}

/** Opens, binds and stores nothing: `open` is called by `register` or `start`. */
export function createNode(parts: NodeParts | (() => Promise<OpenedParts>), options: NodeOptions): Node<"configured"> {
  const open = typeof parts === "function" ? parts : (): Promise<OpenedParts> => Promise.resolve({ parts, close: async () => undefined });
  return new ANode(open, options) as unknown as Node<"configured">;
}

class ANode {
  readonly #open: () => Promise<OpenedParts>;
  readonly #options: NodeOptions;
  readonly #observed: Partial<Hooks>[] = [];
  readonly #closing = new AbortController();
  #state: NodeState | "running" | "closed" = "configured";
  #workload: Workload | undefined;
  #begun: { readonly start: Start; readonly running: Running } | undefined;
  #opened: OpenedParts | undefined;
  #busy: Promise<unknown> | undefined;
  #report: Promise<CloseReport> | undefined;

  constructor(open: () => Promise<OpenedParts>, options: NodeOptions) {
    this.#open = open;
    this.#options = options;
  }

  get state(): NodeState | "running" | "closed" {
    return this.#state;
  }

  link(impl: Impl): this {
    return this.#take(impl, "linked");
  }

  async attach(workload: Workload): Promise<this> {
    return this.#take(workload, "attached");
  }

  observe(hooks: Partial<Hooks>): this {
    if (this.#state === "closed") throw this.#wrong("observe");
    if (this.#begun === undefined) this.#observed.push(hooks);
    else observeBy(this.#begun.start, hooks);
    return this;
  }

  async register(o: StartOptions = {}): Promise<this> {
    if (this.#state !== "linked" && this.#state !== "attached" || this.#busy !== undefined) throw this.#wrong("register");
    await this.#run((own) => this.#register(own), o);
    return this;
  }

  async start(o: StartOptions = {}): Promise<NodeHandle> {
    const isReady = this.#state === "linked" || this.#state === "attached" || this.#state === "registered";
    if (!isReady || this.#busy !== undefined) throw this.#wrong("start");
    return await this.#run(async (own) => {
      const { start, running } = this.#begun ?? await this.#register(own);
      await start.begin(own);
      this.#state = "running";
      void running.handle().closed.then(() => (this.#state = "closed"));
      return running.handle();
    }, o);
  }

  close(): Promise<CloseReport> {
    this.#report ??= this.#close();
    return this.#report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #take(workload: Workload, state: "linked" | "attached"): this {
    if (this.#state !== "configured") throw this.#wrong(state === "linked" ? "link" : "attach");
    this.#workload = workload;
    this.#state = state;
    return this;
  }

  /** One at a time; a failure, or `close` meanwhile, ends the node. */
  async #run<T>(work: (o: StartOptions) => Promise<T>, o: StartOptions): Promise<T> {
    const signal = o.signal === undefined ? this.#closing.signal : AbortSignal.any([o.signal, this.#closing.signal]);
    const busy = work({ ...o, signal });
    this.#busy = busy;
    try {
      return await busy;
    } catch (error) {
      this.#state = "closed";
      await this.#opened?.close();
      throw error;
    } finally {
      this.#busy = undefined;
    }
  }

  async #register(o: StartOptions): Promise<{ readonly start: Start; readonly running: Running }> {
    const workload = this.#workload as Workload;
    const settings = toSettings(this.#options, workload);
    const opened = this.#opened = await this.#open();
    const tracer = opened.parts.tracer ?? await findTracer();
    const parts = tracer === undefined ? opened.parts : { ...opened.parts, tracer };
    const start: Start = new Start(parts, settings, {
      workload, died: (fault) => running.died(fault), lost: (fault) => running.lost(fault), source: {
        health: () => running.health(), live: () => running.live(), metrics: () => running.prometheus(),
      },
    });
    const running = new Running({ parts, settings, workload, start, after: () => opened.close() });
    for (const hooks of this.#observed) observeBy(start, hooks);
    await start.register(o);
    this.#begun = { start, running };
    this.#state = "registered";
    return this.#begun;
  }

  async #close(): Promise<CloseReport> {
    this.#closing.abort(nodeError("node.cancelled", "the node was closed"));
    await this.#busy?.catch(() => undefined);
    const begun = this.#state === "closed" ? undefined : this.#begun;
    const report = await begun?.running.close();
    this.#state = "closed";
    return report ?? NOTHING;
  }

  #wrong(what: string): Error {
    const busy = this.#busy === undefined ? this.#state : "starting";
    return nodeError("node.wrong_state", `a node that is ${busy} cannot ${what}`);
  }
}

function observeBy({ rooms, log }: Start, hooks: Partial<Hooks>): void {
  rooms.hooks.observe(toObserver(hooks, { side: rooms.side, log }));
}

/** The type is named, or that of the service. */
function toSettings(options: NodeOptions, workload: Workload): NodeSettings {
  const own = (workload as Partial<Impl>).type;
  const type = options.type ?? (own === undefined ? undefined : parseType(own));
  if (type === undefined) {
    throw nodeError("node.invalid_argument", "the node has no type: name one as manufacturer:name:version, or link a service");
  }
  return { ...options, type };
}

/** Of a node that never ran. */
const NOTHING: CloseReport = {
  announced: true, streams_reset: 0, handled: 0, returned: 0, replies_unsent: 0, hooks_timed_out: 0, unregistered: true,
  lanes_forced: 0, unfinished: [], elapsed_ms: 0,
};
