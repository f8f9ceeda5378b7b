/** Parts of nodes for tests: real clock, seeded chance, a state store in memory, a network inside the process. */
import {
  formatNodeId, parseNodeId, type Clock, type LogEvent, type NodeId, type StateStore, type Wire,
} from "@atoll-run/core";
import type { Rule } from "@atoll-run/core/internal";
import type { Network, NetworkContext, NodeParts, NodeSettings } from "@atoll-run/node";
import { createMemoryNet, type MemoryNet } from "@atoll-run/node/internal";
import { memoryState, seededIds, seededRandom } from "@atoll-run/testkit";

/** Timers of the real clock that a test need not wait for. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, Math.min(ms, 2 ** 31 - 1));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

export const ALLOW_ALL: readonly Rule[] = [{ effect: "allow", from: { type: "*:*:*", realm: "any" }, actions: ["*"] }];

export interface TestParts extends NodeParts {
  readonly lines: LogEvent[];
}

let seed = 1;

export function partsOf(o: Partial<NodeParts> = {}): TestParts {
  const own = seed++;
  const random = seededRandom(own);
  const lines: LogEvent[] = [];
  return {
    clock: realClock, ids: seededIds(own, realClock), random: () => random() / 2 ** 32, lines,
    log: { write: (event) => void lines.push(event) },
    bytes: (count) => Uint8Array.from({ length: count }, () => random() & 0xff), store: memoryState(), ...o,
  };
}

export function settingsOf(name: string, o: Partial<NodeSettings> = {}): NodeSettings {
  return { name, type: { manufacturer: "acme", name, version: "1.0.0" }, durability: "memory", ...o };
}

/** Where nodes of one test find each other; what each of them still holds. */
export interface TestNet {
  readonly net: MemoryNet;
  /** Names, in the order in which they were begun and not ended. */
  readonly open: string[];
  /** For the parts of a node. Fails at the method of that name; a realm that hangs answers no end. */
  network(o?: { readonly failAt?: keyof Network; readonly hangs?: boolean }): NonNullable<NodeParts["network"]>;
  idOf(name: string): NodeId;
}

export function testNet(): TestNet {
  const net = createMemoryNet({ clock: realClock });
  const open: string[] = [];
  const idOf = (name: string): NodeId => parseNodeId(`${serialOf(name)}@7/acme:${name}:1.0.0`) as NodeId;
  return {
    net, open, idOf,
    network: ({ failAt, hangs = false } = {}) => (context) =>
      new SmallNetwork({ net, open, context, failAt, hangs, id: idOf(context.settings.name) }),
  };
}

function serialOf(name: string): string {
  return [...name].reduce((sum, letter) => sum * 31n + BigInt(letter.charCodeAt(0)), 1n).toString(16).slice(-12).replace(/^0+/, "1");
}

interface SmallParts {
  readonly net: MemoryNet;
  readonly open: string[];
  readonly context: NetworkContext;
  readonly failAt: keyof Network | undefined;
  readonly hangs: boolean;
  readonly id: NodeId;
}

/** A realm that grants what is asked, and keeps a list of what was begun. */
class SmallNetwork implements Network {
  readonly #parts: SmallParts;
  readonly #held = new Set<string>();
  #wires: Wire[] = [];
  readonly discovery = undefined;
  readonly book: Network["book"] = {
    addresses: (id) => Promise.resolve([{ wire: "memory", address: formatNodeId(id) }]), failed: () => undefined,
  };

  constructor(parts: SmallParts) {
    this.#parts = parts;
  }

  async load(): Promise<void> {
    this.#begin("load");
  }

  async listen(): Promise<readonly Wire[]> {
    const { net, context, id } = this.#parts;
    this.#wires = [net.wire({ self: () => id, events: context.events })];
    this.#begin("listen");
    return this.#wires;
  }

  async register(): ReturnType<Network["register"]> {
    this.#begin("register");
    return this.session();
  }

  session(): ReturnType<Network["session"]> {
    // Only the id is looked at.
    return { id: this.#parts.id } as ReturnType<Network["session"]>;
  }

  async connect(): Promise<void> {
    this.#begin("connect");
  }

  arm(): void {
    this.#begin("arm");
  }

  open(): void {
    for (const wire of this.#wires) wire.open();
    this.#begin("open");
  }

  async beat(): Promise<void> {
    this.#begin("beat");
  }

  async drain(): Promise<boolean> {
    for (const wire of this.#wires) wire.shut();
    this.#end("beat");
    return this.#parts.hangs ? new Promise(() => undefined) : true;
  }

  async unregister(): Promise<boolean> {
    return this.#end("register") && this.#parts.hangs ? new Promise(() => undefined) : true;
  }

  async close(): Promise<void> {
    await Promise.all(this.#wires.map((wire) => wire[Symbol.asyncDispose]()));
    for (const what of ["beat", "open", "arm", "connect", "listen", "load"]) this.#end(what);
  }

  health(): ReturnType<Network["health"]> {
    return { signaling: "up", identity: "good", addresses: this.#wires.flatMap(({ addresses }) => addresses) };
  }

  onLost(): void {}
  stats(): Record<string, number> {
    return { held: this.#held.size };
  }

  /** It is begun even when it fails: what undoes a step must cope with half of it. */
  #begin(what: keyof Network): void {
    this.#held.add(what);
    this.#parts.open.push(`${this.#parts.context.settings.name} ${what}`);
    if (this.#parts.failAt === what) throw new Error(`${what} failed`);
  }

  #end(what: string): boolean {
    if (!this.#held.delete(what)) return false;
    const { open, context } = this.#parts;
    open.splice(open.indexOf(`${context.settings.name} ${what}`), 1);
    return true;
  }
}

/** Nobody else knows the store of a test, so what is left there is told by it. */
export async function leasedRows(store: StateStore, scope: string): Promise<number> {
  const rows = await store.rows(scope, { after: 0, limit: 1_000 });
  return rows.filter(({ leased }) => leased).length;
}
