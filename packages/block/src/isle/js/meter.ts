/**
 * What a JavaScript isle may spend, and its end.
 * takes the limits of a VM; gives the answer to each of its polls; promises that code over a limit is ended by
 * what no script can catch; refuses nothing; never enters the VM.
 */
import { Terminate } from "../lua/vm-errors.ts";
import { pack } from "./pack.ts";
import type { Alarms } from "../lua/alarms.ts";
import type { VmLimits } from "../lua/vm-host.ts";
import type { JsVmHost, Sent } from "./vm-host.ts";

/** An isle is ended for good this long before its soft time is over. */
const HARD_EARLY_MS = 20;

/** The VM as its meter sees it. */
export interface Metered {
  readonly host: JsVmHost;
  readonly limits: VmLimits;
  readonly shared: boolean;
  readonly alarms: Alarms;
  readonly dead: Terminate | null;
  readonly occupied: boolean;
  send(what: string, id: number, sent: Sent): void;
  die(why: unknown): void;
}

export class JsMeter {
  readonly #vm: Metered;
  /** What all isles of the run had spent when this one began to run. */
  #runMs = 0;
  #runAt = 0;
  #cpuAt = 0;
  #sliceAt = 0;
  #runs = false;
  #abortedEvent = 0;
  #ending: Terminate | null = null;

  constructor(vm: Metered) {
    this.#vm = vm;
    const { wallMsMax } = vm.limits;
    if (wallMsMax === Infinity) return;
    vm.alarms.set(wallMsMax, () => this.end(new Terminate("timeout", `limit error: wall time over ${wallMsMax} ms`)));
  }

  get ending(): Terminate | null {
    return this.#ending;
  }

  /** When the code that runs began to run; Infinity while none does. */
  get sliceAt(): number {
    return this.#vm.occupied ? this.#sliceAt : Infinity;
  }

  begin(): void {
    this.#vm.host.beat();
    this.#runs = true;
    this.#runAt = performance.now();
    this.#sliceAt = this.#runAt;
    this.#cpuAt = this.#vm.host.cpu();
    this.#runMs = this.#vm.host.spent(0);
  }

  pause(): void {
    if (!this.#runs) return;
    this.#runMs = this.#vm.host.spent(this.#vm.host.cpu() - this.#cpuAt);
    this.#runs = false;
    this.#vm.host.rests();
  }

  turn(): void {
    this.#sliceAt = performance.now();
  }

  /** 0: run on; a promise: suspended until it settles. Throws what ends the VM. */
  poll(): number | Promise<number> {
    const { host, limits, shared } = this.#vm;
    const now = this.check();
    host.beat();
    if (this.#vm.dead !== null) throw this.#vm.dead;
    host.polled(now);
    if (!shared || !this.#vm.occupied) return 0;
    return now - this.#sliceAt > limits.giveWayMs || host.messageWaits() ? this.#giveWay() : 0;
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

  /** Wall time says when to look at the CPU clock, which is what counts. */
  #spent(now: number): void {
    if (!this.#runs) return;
    const { host, limits, shared } = this.#vm;
    const { cpuMsMax } = limits;
    if (this.#runMs + now - this.#runAt > cpuMsMax && host.spent(0) + host.cpu() - this.#cpuAt > cpuMsMax) {
      this.end(new Terminate("timeout", `limit error: CPU time over ${cpuMsMax} ms`));
      return;
    }
    const max = shared ? limits.sliceSharedMsMax : limits.sliceMsMax;
    if (now - this.#sliceAt > max && host.cpu() - this.#cpuAt > max) {
      this.end(new Terminate("timeout", `limit error: ${max} ms of CPU without giving way`));
    }
  }

  end(why: Terminate): void {
    const { limits, alarms } = this.#vm;
    if (this.#ending !== null || this.#vm.dead !== null) return;
    this.#ending = why;
    this.#vm.send("ending", 0, pack({ code: "run.cancelled", text: "cancelled", retry: "never" }));
    alarms.set(limits.softStopMs - Math.min(HARD_EARLY_MS, limits.softStopMs / 5), () => this.#vm.die(why));
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
