/** A node that runs, as its host holds it (spec: node 2, 9.2). */
import {
  nodeError, withDeadline, type Fault, type HookEvent, type Link, type NodeId, type TellAsk, type Told, type Workload,
} from "@atoll-run/core";
import type { DeadLetterAdmin } from "../mailbox/dead-letter-admin.ts";
import type { MailboxAdmin } from "../mailbox/mailbox-admin.ts";
import { createTalk, type Talk, type TellOptions } from "../service/talk.ts";
import { toTargetText, type Target } from "../service/target.ts";
import type { PresenceEvent } from "../signaling/presence.ts";
import type { PlainSpeaker } from "../streams/plain-speaker.ts";
import { closeNode, type CloseOptions, type CloseReport } from "./close.ts";
import { toHealth, type Health } from "./health.ts";
import { Hurry } from "./hurry.ts";
import { LoopWatch } from "./loop-watch.ts";
import type { NodeParts, NodeSettings } from "./parts.ts";
import { Rebuild } from "./rebuild.ts";
import { toPrometheus } from "../observe/prometheus.ts";
import type { NetworkInput } from "../recovery/network-input.ts";
import type { Start } from "./start.ts";

/** To its own node a host may tell what else is done with the acceptance. */
export interface HostTellOptions extends TellOptions {
  readonly also?: TellAsk["also"];
  /** Of whoever has asked for it. */
  readonly traceparent?: string;
}

export interface NodeHandle extends Talk, AsyncDisposable {
  /** Undefined: a local node. A renewal never changes it. */
  readonly id: NodeId | undefined;
  /** Local name. */
  readonly name: string;
  /** Of its scope in the store, as this start has attached it: for a host that writes there too. */
  readonly epoch: number;
  tellRaw(route: string, body: Uint8Array, o: HostTellOptions): Promise<Told>;
  readonly state: "running" | "draining" | "closed";
  /** Ends when the node has ended, whoever ended it. */
  readonly closed: Promise<CloseReport>;
  /** Why it could not go on; undefined: nothing has ended it but its host. */
  readonly lost: Fault | undefined;
  /** Runs once; later calls share its promise, and may hurry it with `stepMs`. */
  close(o?: CloseOptions): Promise<CloseReport>;
  health(): Health;
  /** Where `/healthz`, `/readyz` and `/metrics` are served; undefined: nowhere. */
  readonly healthUrl: string | undefined;
  /** Whether loop and store answer in time. */
  live(): Promise<boolean>;
  /** Every event from now on, in order. */
  events(o?: { readonly signal?: AbortSignal | undefined }): AsyncIterableIterator<HookEvent, undefined> & AsyncDisposable;
  /** Who of that type comes and goes, from now on; first those that are there. */
  watch(type: Target, o?: { readonly signal?: AbortSignal | undefined }): AsyncIterableIterator<PresenceEvent, undefined> & AsyncDisposable;
  /** Chunks to and from legacy peers, as they are. */
  readonly streams: PlainSpeaker;
  /** Rows that wait and run. */
  readonly mailbox: MailboxAdmin;
  readonly deadLetters: DeadLetterAdmin;
  /** Frees what is parked under that name; gives how many. */
  wake(name: string): number;
  /** For hosts that know more of the machine's network than the node sees. */
  readonly network: NetworkInput;
  /** Ends the workload and starts it anew; messages wait meanwhile. For hosts that decide it themselves. */
  rebuild(): Promise<void>;
  /** Plain numbers of all rooms, by name. */
  metrics(): Readonly<Record<string, number>>;
}

export interface RunningParts {
  readonly parts: NodeParts;
  readonly settings: NodeSettings;
  readonly workload: Workload;
  readonly start: Start;
  /** Lets go of what was opened for this node. */
  readonly after: () => Promise<void>;
}

/** Holds the node from its start to its end; made before step 9, because the workload may die from then on. */
export class Running {
  readonly #o: RunningParts;
  readonly #rebuild: Rebuild;
  readonly #hurry: Hurry;
  #loop: LoopWatch | undefined;
  readonly #ended = Promise.withResolvers<CloseReport>();
  readonly #closing = new AbortController();
  #state: NodeHandle["state"] = "running";
  #report: Promise<CloseReport> | undefined;
  #lost: Fault | undefined;

  constructor(o: RunningParts) {
    this.#o = o;
    const { clock } = o.parts;
    this.#hurry = new Hurry(clock);
    const { inbox, hooks } = o.start.rooms;
    this.#rebuild = new Rebuild({
      clock, report: hooks.report, by: o.settings.restart ?? "node", pause: (paused) => inbox.pause(paused), giveUp: (fault) => this.lost(fault),
      build: () => withDeadline((signal) => o.start.rebuild(signal), {
        clock, ms: o.start.limits.hooks.lifecycleMsMax, signal: this.#closing.signal, what: "building the workload",
      }),
    });
  }

  readonly died = (fault: Fault): void => this.#rebuild.died(fault);

  /** The node cannot go on. */
  readonly lost = (fault: Fault): void => {
    const { parts: { log }, settings: { name } } = this.#o;
    if (this.#report === undefined) this.#lost ??= fault;
    log.write({ level: "error", target: "node", msg: "the node ends", fields: { node: name, code: fault.code, reason: fault.message } });
    void this.close();
  };

  close(o: CloseOptions = {}): Promise<CloseReport> {
    if (o.stepMs !== undefined) this.#hurry.press(o.stepMs);
    this.#report ??= this.#close(o);
    return this.#report;
  }

  /** What the host gets. */
  handle(): NodeHandle {
    const { parts, settings: { name }, start: { rooms }, workload } = this.#o;
    if (workload.kind === "linked") this.#loop ??= new LoopWatch({ ...parts, of: { target: "node", name } });
    const stateNow = (): NodeHandle["state"] => this.#state;
    const lostNow = (): Fault | undefined => this.#lost;
    return {
      ...createTalk(rooms.gate.outbound.root), name, epoch: rooms.inbox.epoch,
      get id() {
        return rooms.later.id;
      },
      get state() {
        return stateNow();
      },
      get lost() {
        return lostNow();
      },
      closed: this.#ended.promise, close: (o) => this.close(o), health: () => this.health(), healthUrl: this.#o.start.healthUrl, live: () => this.live(),
      events: (o) => rooms.hooks.events(o), streams: rooms.gate.plain, mailbox: rooms.inbox.mailbox,
      deadLetters: rooms.inbox.deadLetters, wake: (what) => rooms.inbox.wake(what),
      rebuild: () => this.#rebuild.now(),
      watch: (type, o) => rooms.network?.watch?.(toTargetText(type), o) ?? noRealm(), metrics: () => this.#metrics(),
      network: rooms.network?.input ?? { report: async () => ({ action: "noop" }) },
      [Symbol.asyncDispose]: async () => void await this.close(),
    };
  }

  async #close(o: CloseOptions): Promise<CloseReport> {
    const { parts: { clock, log }, start, workload, settings: { name } } = this.#o;
    this.#state = "draining";
    this.#rebuild[Symbol.dispose]();
    this.#loop?.[Symbol.dispose]();
    this.#closing.abort();
    const report = await closeNode({ clock, log, start, workload, limits: start.limits.life, hurry: this.#hurry }, o);
    await this.#o.after();
    this.#state = "closed";
    log.write({ level: "info", target: "node", msg: "the node has ended", fields: { node: name, ...report } });
    this.#ended.resolve(report);
    return report;
  }

  health(): Health {
    const { settings: { durability, dir }, start: { limits, rooms: { inbox, network } }, parts: { clock } } = this.#o;
    return toHealth({
      state: this.#state, storeReady: inbox.ready, workloadUp: this.#rebuild.up, durability, dir, inbox: inbox.stats(),
      network: network?.health(), nowMs: clock.monotonic(), limits,
    });
  }

  async live(): Promise<boolean> {
    const { parts: { clock, store }, settings: { name }, start } = this.#o;
    const look = (signal: AbortSignal): Promise<unknown> => store.get(name, "node:live", "", { signal });
    return withDeadline(look, { clock, ms: start.limits.life.liveMsMax }).then(() => true, () => false);
  }

  /** For whoever scrapes. */
  prometheus(): string {
    const { settings: { name }, parts: { clock } } = this.#o;
    const { figures } = this.#o.start.rooms;
    return toPrometheus(this.#metrics(), figures.samples(), { labels: { node: name }, nowMs: clock.now() });
  }

  #metrics(): Readonly<Record<string, number>> {
    const { rooms: { hooks, inbox, gate, network, later, connections } } = this.#o.start;
    const { links: _, ...peers } = later.peers?.stats() ?? { links: 0 };
    const loop = this.#loop === undefined ? {} : { loop_delay_ms: this.#loop.maxMs };
    return {
      ...inbox.stats(), ...gate.stats(), ...prefixed("hook", hooks.stats()), ...peers, ...network?.stats(), ...loop,
      ...connectionCounts(later.peers?.links() ?? [], connections.connecting),
    };
  }
}

function noRealm(): never {
  throw nodeError("node.unavailable", "this node has no realm to ask");
}

/** `connections{wire,state}`: those that stand, by wire, and dials of this node that are under way. */
function connectionCounts(links: readonly Link[], connecting: number): Record<string, number> {
  const up = Object.fromEntries([...Map.groupBy(links, ({ wire }) => wire)].map(([wire, own]) => [wire, own.length]));
  return {
    ...Object.fromEntries(Object.entries({ websocket: 0, ...up }).map(([wire, count]) => [`connections{wire="${wire}",state="up"}`, count])),
    'connections{wire="websocket",state="connecting"}': connecting,
  };
}

function prefixed(prefix: string, stats: Readonly<Record<keyof never, number>> | object): Record<string, number> {
  return Object.fromEntries(Object.entries(stats).map(([name, value]) => [`${prefix}_${name}`, value as number]));
}

