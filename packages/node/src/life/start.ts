/**
 * The start of a node, step by step (spec: node 3.1).
 *
 * takes parts, settings and a workload; gives a node that runs; promises that a start that fails has undone everything
 * and says at which step; refuses settings that cannot be; never accepts a message before its workload runs.
 */
import {
  isOwnType, nodeError, type Deadline, type Fault, type HookEvent, type Log, type Wire, type Workload, type WorkloadHost,
} from "@atoll-run/core";
import { createPeers } from "../transport/create-peers.ts";
import { serveHealth, type HealthServer, type HealthSource } from "./health-server.ts";
import { nodeLimits, type NodeLimits } from "./node-limits.ts";
import type { Network, NodeParts, NodeSettings } from "./parts.ts";
import { createRooms, type Rooms } from "./rooms.ts";
import { StartScope, type StepContext, type StepName, type Undo } from "./start-scope.ts";

/** Names of the steps; one is part of the fault of a start that failed. */
const STEPS = [
  "store", "recovery", "workload", "rooms", "listeners", "description", "registration", "session", "signaling", "peers",
  "on_start", "intake", "heartbeat", "ready",
] as const;

type Step = (typeof STEPS)[number];

export interface StartOptions {
  /** Milliseconds for all steps, 60,000 by default. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface StartEvents {
  /** The workload has ended by itself. */
  readonly died: (fault: Fault) => void;
  /** The identity, the scope or the store is gone for good. */
  readonly lost: (fault: Fault) => void;
  /** What `/healthz` and its like tell. */
  readonly source: HealthSource;
}

/** One start. `register` and `begin` are called once, in that order. */
export class Start {
  readonly scope: StartScope;
  readonly limits: NodeLimits;
  readonly log: Log;
  readonly rooms: Rooms;
  readonly #parts: NodeParts;
  readonly #settings: NodeSettings;
  readonly #workload: Workload;
  readonly #events: StartEvents;
  #wires: readonly Wire[] = [];
  /** Where health is served, if it is. */
  healthUrl: string | undefined;
  /** onStart has finished, so that onStop is due. */
  started = false;

  constructor(parts: NodeParts, settings: NodeSettings, o: StartEvents & { readonly workload: Workload }) {
    this.#parts = parts;
    this.limits = nodeLimits(settings.limits);
    this.log = parts.log;
    this.#settings = settings;
    this.#workload = o.workload;
    this.#events = o;
    this.scope = new StartScope({ clock: parts.clock, watch: parts.watch }, this.limits.life);
    this.rooms = createRooms(parts, settings, { ...o, limits: this.limits });
  }

  /** Steps 1 to 8. */
  async register(o: StartOptions): Promise<void> {
    using deadline = this.scope.deadline("registering the node", o.deadlineMs);
    const step = this.#stepper(deadline, o);
    const { hooks, inbox, gate, network, later } = this.rooms;
    await step("store", ({ undo }) => {
      checkSettings(this.#settings);
      undo("store", () => inbox.close());
    });
    await step("recovery", async ({ signal, undo }) => {
      undo("recovery", () => network?.close({ signal: AbortSignal.timeout(this.limits.life.undoStepMsMax) }));
      const found = await inbox.recover();
      const { dir, durability } = this.#settings;
      this.#log("info", "the mailbox is open", { ...found, durability, ...dir === undefined ? {} : { dir } });
      await network?.load({ signal });
    });
    await step("workload", ({ undo }) => undo("workload", (signal) => this.#workload.close({ signal })));
    await step("rooms", ({ undo }) => {
      undo("hooks", (signal) => hooks.close({ signal }));
      undo("gate", () => gate.close());
    });
    await step("listeners", async ({ signal, undo }) => {
      await this.#serveHealth(undo);
      if (network === undefined) return;
      undo("listeners", async () => {
        await Promise.all(this.#wires.map((wire) => wire[Symbol.asyncDispose]()));
      });
      this.#wires = await network.listen({ signal });
    });
    if (network === undefined) return;
    await step("description", () => undefined);
    await step("registration", async ({ signal, undo }) => {
      undo("registration", async (time) => void await network.unregister({ signal: time }));
      later.id = (await network.register({ signal })).id;
    });
    await step("session", ({ undo }) => undo("session", () => void (later.id = undefined)));
  }

  /** Steps 9 to 14. */
  async begin(o: StartOptions): Promise<void> {
    using deadline = this.scope.deadline("starting the node", o.deadlineMs);
    const step = this.#stepper(deadline, o);
    const { hooks, inbox, gate, network } = this.rooms;
    if (network !== undefined) {
      await step("signaling", (context) => network.connect(context));
      await step("peers", (context) => this.#openPeers(network, context));
    }
    await step("on_start", (context) => this.#startWorkload(context));
    await step("intake", ({ undo }) => {
      undo("intake", async () => {
        inbox.stopIntake();
        gate.drain();
        await inbox.drain({ deadlineMs: this.limits.life.undoStepMsMax / 2 });
      });
      inbox.open();
      gate.open();
      network?.open();
    });
    if (network !== undefined) await step("heartbeat", () => network.beat());
    await step("ready", async () => {
      await hooks.lifecycle("ready");
    });
  }

  /** A workload that died runs again. */
  async rebuild(signal: AbortSignal): Promise<void> {
    await this.#workload.close({ signal });
    await this.#workload.start(this.#host(), { signal });
  }

  #stepper(deadline: Deadline, { signal }: StartOptions) {
    return <T>(name: Step, run: (context: StepContext) => T | Promise<T>): Promise<T> => {
      const at: StepName = { step: STEPS.indexOf(name) + 1, name };
      return this.scope.step(at, { deadline, signal }, run);
    };
  }

  async #serveHealth(undo: Undo): Promise<void> {
    const { health } = this.#settings;
    if (health === undefined) return;
    const opened: HealthServer[] = [];
    undo("health", async () => {
      for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
    });
    const server = await serveHealth(health, this.#events.source);
    opened.push(server);
    this.healthUrl = server.url;
    this.#log("info", "health is served", { url: server.url });
  }

  #openPeers(network: Network, { undo }: StepContext): void {
    const { clock } = this.#parts;
    const { table, later, hooks } = this.rooms;
    undo("peers", async () => {
      await later.peers?.[Symbol.asyncDispose]();
      later.peers = undefined;
    });
    const { limits } = this;
    later.peers = createPeers({ clock, wires: this.#wires, book: network.book, table, report: hooks.report }, {
      ...limits.transport, ...limits.wire,
    });
    network.onLost(this.#events.lost);
    network.arm();
  }

  async #startWorkload({ undo, signal }: StepContext): Promise<void> {
    const { hooks } = this.rooms;
    undo("on_start", async () => {
      if (!this.started) return;
      this.started = false;
      await hooks.lifecycle("stop");
    });
    await this.#workload.start(this.#host(), { signal });
    hooks.open(this.#workload.hook === undefined ? undefined : (event, o) => this.#hook(event, o));
    const end = await hooks.lifecycle("start");
    if (end.is === "failed") throw end.fault;
    this.started = true;
  }

  #host(): WorkloadHost {
    const { hooks, gate, self } = this.rooms;
    return {
      self: self(), speaker: gate.outbound.root, log: this.#parts.log, died: this.#events.died,
      failed: (error, context) => hooks.report("error", { error, category: "handler_error", context }),
    };
  }

  #hook(event: HookEvent, o: { readonly signal: AbortSignal; readonly limitMs: number }): Promise<void> | undefined {
    const { hook } = this.#workload;
    if (hook === undefined) return undefined;
    return this.rooms.side({ ...o, what: `hook ${event.name}`, span: { name: "hook", event: event.name } }, (context) => hook(event, context));
  }

  #log(level: "info" | "warn", msg: string, fields: Readonly<Record<string, unknown>>): void {
    this.#parts.log.write({ level, target: "node", msg, fields: { node: this.#settings.name, ...fields } });
  }
}

/** Throws `node.invalid_argument` with all that is wrong. */
function checkSettings({ name, type }: NodeSettings): void {
  const issues = [
    ...NAME.test(name) ? [] : [`name ${JSON.stringify(name)} is not 1-64 of A-Z a-z 0-9 . _ -`],
    ...isOwnType(type) ? [] : ["type is not manufacturer:name:version in ASCII"],
  ];
  if (issues.length > 0) throw nodeError("node.invalid_argument", issues.join("; "), { facts: { issues } });
}

const NAME = /^[\w.-]{1,64}$/;
