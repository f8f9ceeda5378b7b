/**
 * The JavaScript VM of one isle: runs what the host sends in and the jobs that follow from it, one at a time.
 * takes limits and a port to the host; gives turns; promises that no script outlives a kill, a budget or its
 * memory cap; refuses work once dead; never lets a script catch what ends it.
 */
import { type HeapCap, openQuickJs } from "../js-module.ts";
import { Alarms } from "../lua/alarms.ts";
import { Terminate } from "../lua/vm-errors.ts";
import type { VmLimits } from "../lua/vm-host.ts";
import { JsMachine, type MachineHost } from "./machine.ts";
import { JsMeter, type Metered } from "./meter.ts";
import { type JsThrown, toJsError } from "./thrown.ts";
import type { JsVmHost, Sent } from "./vm-host.ts";

/** After this much time without a break the thread looks at its messages again. */
const BATCH_MS = 5;
/** What a script that took all it may have leaves for its clean-up, and for ours. */
const RESERVE_BYTES = 1 << 20;

type Runs = JsThrown | undefined | Promise<JsThrown | undefined>;

interface Entry {
  run(machine: JsMachine): Runs;
  /** What our own code threw; without it that ends the isle. */
  after?(thrown: JsThrown | undefined): void;
}

export class JsVm implements Metered {
  readonly host: JsVmHost;
  readonly limits: VmLimits;
  readonly shared: boolean;
  readonly alarms = new Alarms(() => performance.now());
  readonly meter: JsMeter;
  dead: Terminate | null = null;
  /** Script code is on the stack, running or suspended. */
  occupied = false;
  #machine: JsMachine | null = null;
  #queue: Entry[] = [];
  #running = false;
  #held = 0;
  readonly #heap: HeapCap;

  constructor(host: JsVmHost, o: { limits: VmLimits; shared: boolean }) {
    this.host = host;
    this.limits = o.limits;
    this.shared = o.shared;
    this.meter = new JsMeter(this);
    this.#heap = { bytesMax: o.limits.bytesMax - RESERVE_BYTES, refused: false };
  }

  async open(bootSource: string, modules: MachineHost): Promise<void> {
    const q = await openQuickJs(() => this.meter.poll(), { suspends: this.shared, heap: this.#heap });
    const machine = new JsMachine(q, modules, { suspends: this.shared });
    this.meter.begin();
    try {
      await machine.boot(bootSource, "<atoll>");
    } finally {
      this.meter.pause();
    }
    this.#machine = machine;
    this.wake();
  }

  /** Hands a message to our own code in the isle. */
  send(what: string, id: number, { text = "", extra = "", bytes = [], held = 0 }: Sent = {}): void {
    this.enter({
      run: (machine) => {
        this.letGo(held);
        return machine.deliver([what, id, text, extra, ...bytes]);
      },
    });
  }

  enter(entry: Entry): void {
    if (this.dead !== null) return;
    this.#queue.push(entry);
    this.wake();
  }

  get idle(): boolean {
    return !this.occupied && this.#queue.length === 0 && this.#machine?.hasJobs !== true;
  }

  wake(): void {
    if (this.#running || this.dead !== null || this.#machine === null) return;
    this.#running = true;
    this.host.soon(() => void this.#batch());
  }

  async #batch(): Promise<void> {
    const until = performance.now() + BATCH_MS;
    this.meter.begin();
    try {
      while (this.dead === null && this.#machine !== null) {
        const entry = this.#queue.shift() ?? (this.#machine.hasJobs ? JOB : undefined);
        if (entry === undefined) break;
        if (this.#heap.refused) this.letGo(0);
        const turn = this.#turn(entry, this.#machine);
        if (turn !== undefined) await turn;
        if (performance.now() > until || this.host.messageWaits()) break;
      }
    } finally {
      this.meter.pause();
      this.#running = false;
      if (this.#machine !== null) this.host.sized(this.#machine.bytes + this.#held);
    }
    if (this.dead !== null) return;
    if (this.#queue.length > 0 || this.#machine?.hasJobs === true) this.host.later(() => this.wake());
    else this.host.quiet();
  }

  #turn(entry: Entry, machine: JsMachine): Promise<void> | undefined {
    this.occupied = true;
    this.meter.turn();
    const after = (thrown: JsThrown | undefined): void => {
      this.occupied = false;
      if (entry.after !== undefined) entry.after(thrown);
      else if (thrown !== undefined) this.die(toJsError(thrown));
    };
    try {
      const ran = entry.run(machine);
      if (ran instanceof Promise) return ran.then(after).catch((error: unknown) => this.die(error));
      after(ran);
    } catch (error) {
      this.die(error);
    }
    return undefined;
  }

  // ---- memory that the host holds for the isle

  /** False when it does not fit beside what the script has. */
  hold(bytes: number): boolean {
    if (this.#held + bytes > this.limits.bytesMax) return false;
    this.letGo(-bytes);
    return true;
  }

  letGo(bytes: number): void {
    this.#held -= bytes;
    this.#heap.bytesMax = this.limits.bytesMax - this.#held - (this.#heap.refused ? 0 : RESERVE_BYTES);
  }

  /** The script wanted more than it may have. What is left is enough to say so, once. */
  get starved(): boolean {
    return this.#heap.refused;
  }

  // ---- the end

  get ending(): Terminate | null {
    return this.meter.ending;
  }

  /** Ends the isle: its waits fail, then it is dropped. */
  end(why: Terminate): void {
    this.meter.end(why);
  }

  /** The host wants something while nothing may be running: look at once. */
  interrupt(): void {
    if (this.dead === null) this.meter.check();
  }

  /** Lets go of the VM without running anything more; nobody is told. */
  drop(): void {
    this.dead ??= new Terminate("cancelled", "cancelled");
    this.#letGo();
  }

  die(error: unknown): void {
    if (this.dead !== null) return;
    this.dead = this.meter.ending ?? toTerminate(error);
    this.#letGo();
    this.host.died(this.dead);
  }

  #letGo(): void {
    this.alarms.clear();
    this.#queue = [];
    this.#machine = null;
  }
}

const JOB: Entry = { run: (machine) => machine.job() };

function toTerminate(error: unknown): Terminate {
  if (error instanceof Terminate) return error;
  if (error instanceof RangeError && /call stack/i.test(error.message)) return new Terminate("crashed", "stack overflow");
  return new Terminate("crashed", error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}
