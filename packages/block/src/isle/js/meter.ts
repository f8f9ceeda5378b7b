/**
 * What a JavaScript isle may spend, and its end.
 * takes the limits of a VM; gives the answer to each of its polls; promises that code over a limit is ended by
 * what no script can catch; refuses nothing; never enters the VM.
 */
import type { Alarms } from "../lua/alarms.ts";
import { CpuAccount } from "../lua/cpu-account.ts";
import { afterSoftTime, timeOver } from "../lua/over-limit.ts";
import { Terminate } from "../lua/vm-errors.ts";
import type { VmLimits } from "../lua/vm-host.ts";
import { pack } from "./pack.ts";
import type { JsVmHost, Sent } from "./vm-host.ts";

/** The VM as its meter sees it. */
export interface Metered {
  readonly host: JsVmHost;
  readonly limits: VmLimits;
  readonly shared: boolean;
  readonly alarms: Alarms;
  readonly dead: Terminate | null;
  readonly occupied: boolean;
  /** Nothing runs, and nothing is ready to. */
  readonly idle: boolean;
  send(what: string, id: number, sent: Sent): void;
  die(why: unknown): void;
}

export class JsMeter {
  readonly #vm: Metered;
  readonly #account: CpuAccount;
  #sliceAt = 0;
  #abortedEvent = 0;
  #ending: Terminate | null = null;

  constructor(vm: Metered) {
    this.#vm = vm;
    const { cpuMsMax, wallMsMax } = vm.limits;
    this.#account = new CpuAccount(vm.host, cpuMsMax, { alone: !vm.shared });
    if (wallMsMax !== Infinity) vm.alarms.set(wallMsMax, () => this.end(timeOver("wallMsMax", wallMsMax)));
  }

  get ending(): Terminate | null {
    return this.#ending;
  }

  /** When the code that runs began to run; Infinity while none does. */
  get sliceAt(): number {
    return this.#vm.occupied ? this.#sliceAt : Infinity;
  }

  /** CPU milliseconds of this isle until now. */
  get cpuMs(): number {
    return this.#account.ms;
  }

  begin(): void {
    const { host, limits: { cpuMsMax } } = this.#vm;
    const now = performance.now();
    host.beat();
    this.#sliceAt = now;
    this.#account.begin(now);
    if (this.#account.over(now)) this.end(timeOver("cpuMsMax", cpuMsMax));
  }

  pause(): void {
    if (!this.#account.runs) return;
    this.#account.pause();
    this.#vm.host.rests();
  }

  turn(): void {
    this.#sliceAt = performance.now();
  }

  /** 0: run on; a promise: suspended until it settles. Throws what ends the VM. */
  poll(): number | Promise<number> {
    const { host, limits, shared } = this.#vm;
    const now = this.look();
    if (!shared || !this.#vm.occupied) return 0;
    return now - this.#sliceAt > limits.giveWayMs || host.messageWaits() ? this.#giveWay() : 0;
  }

  /** As `poll`, where the VM cannot be suspended: our own code is on its stack. Gives the time. */
  look(): number {
    const { host } = this.#vm;
    const now = this.check();
    host.beat();
    if (this.#vm.dead !== null) throw this.#vm.dead;
    host.polled(now);
    return now;
  }

  /** Sees what the host wants and which limit is over. Gives the time. */
  check(): number {
    const { host, alarms } = this.#vm;
    const now = performance.now();
    if (this.#ending === null) {
      if (host.killRequested()) this.end(new Terminate("cancelled", "cancelled"));
      else {
        this.#spent(now);
        const event = host.abortRequested();
        if (event !== this.#abortedEvent) {
          this.#abortedEvent = event;
          host.abortEvent(event);
        }
      }
    }
    alarms.look(now);
    return now;
  }

  #spent(now: number): void {
    if (!this.#account.runs) return;
    const { limits, shared } = this.#vm;
    const slice = shared ? "sliceSharedMsMax" : "sliceMsMax";
    const max = limits[slice];
    if (this.#account.over(now)) this.end(timeOver("cpuMsMax", limits.cpuMsMax));
    else if (now - this.#sliceAt > max && this.#account.sinceBegin > max) this.end(timeOver(slice, max));
  }

  end(why: Terminate): void {
    const { limits, alarms } = this.#vm;
    if (this.#ending !== null || this.#vm.dead !== null) return;
    this.#ending = why;
    this.#vm.send("ending", 0, pack({ code: "run.cancelled", text: "cancelled", retry: "never" }));
    const clock = { cpuMs: () => this.cpuMs, idle: () => this.#vm.idle };
    afterSoftTime(alarms, limits.softStopMs, clock, () => this.#vm.die(why));
    this.#vm.host.ending(why);
  }

  /** Suspends the running code so that timers, messages and other isles have their turn. */
  #giveWay(): Promise<number> {
    const { host } = this.#vm;
    this.pause();
    return new Promise((resolve, reject) => {
      // two turns: what the first one makes ready runs before this goes on
      host.later(() => host.later(() => {
        if (this.#vm.dead !== null) {
          reject(this.#vm.dead as Error);
          return;
        }
        this.begin();
        resolve(0);
      }));
    });
  }
}
