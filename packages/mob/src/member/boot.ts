/**
 * Who is started with the mob, without work (spec: mob 3.1, 7.5).
 *
 * takes how it is to be booted; gives how far it is; promises that whoever comes later is started in the same way; refuses nothing; never
 * holds up the mob.
 */
import { onAbort, type Clock } from "@atoll-run/core";
import type { Bootstrap, Profile } from "../definition/definition.ts";
import { isAutonomous } from "../definition/mode.ts";
import { countMembers } from "../roster/query.ts";
import type { MemberView } from "../roster/row.ts";
import type { View } from "../roster/view.ts";
import type { BootNow } from "./host.ts";
import { Warming } from "./warming.ts";

export interface BootParts {
  readonly view: View;
  readonly clock: Clock;
  readonly bootstrap: Bootstrap;
  readonly placeMs: number;
  readonly profileOf: (name: string) => Profile | undefined;
  /** Resolves when it is up, or has given up. */
  readonly start: (id: string) => Promise<void>;
}

/** It was never up. */
function isComing(member: Pick<MemberView, "life"> | undefined): boolean {
  return member?.life.first === true && member.life.state === "starting";
}

export class Boot {
  readonly #parts: BootParts;
  readonly #warming: Warming;
  /** The first pass is over: whoever comes later is on his own. */
  #begun = false;

  constructor(parts: BootParts) {
    this.#parts = parts;
    const { clock, bootstrap, placeMs, start } = parts;
    this.#warming = new Warming({ clock, atOnce: bootstrap.concurrency, placeMs, start });
  }

  begin(): void {
    this.#begun = true;
    for (const id of this.#parts.view.ids()) this.come(id);
  }

  /** It is there now. */
  come(id: string): void {
    const { view, bootstrap: { mode }, profileOf } = this.#parts;
    const { spec, life } = view.members.get(id) ?? {};
    if (!this.#begun || spec === undefined || life?.state !== "dormant") return;
    if (mode !== "lazy" || isAutonomous(spec, profileOf(spec.profile))) this.#warming.add(id);
  }

  now(only?: (id: string) => boolean): BootNow {
    const { view, bootstrap: { mode } } = this.#parts;
    const all = countMembers(view);
    const { starting = 0, dormant = 0, active = 0, broken = 0 } = only === undefined ? all : countMembers(view, only);
    const { left } = this.#warming;
    const warming = Math.max(starting, only === undefined ? left.length : left.filter(only).length);
    // Who is woken by mail is no part of the start.
    const complete = this.#begun && left.length === 0 && !view.ids().some((id) => isComing(view.members.get(id)));
    const bad = mode === "eager" && (all["broken"] ?? 0) > 0 ? view.ids().find((id) => view.members.get(id)?.life.state === "broken") : undefined;
    const error = bad === undefined ? undefined : { member: bad, ...view.row(bad)?.last_error ?? { code: "broken", text: "" } };
    return {
      mode, complete, ready: mode === "eager" ? complete && error === undefined : this.#begun, ...error === undefined ? {} : { error },
      counts: { dormant: Math.max(0, dormant - (warming - starting)), warming, active, broken },
    };
  }

  /** Resolves when nobody is on the way any more without work. Throws the reason of the signal. */
  async over(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    using _ = onAbort(signal, aborted.reject);
    await Promise.race([this.#warming.idle(), aborted.promise]);
  }

  /** Nobody is started any more, until {@link resume}. */
  pause(): Promise<void> {
    return this.#warming.pause();
  }

  resume(): void {
    this.#warming.resume();
    if (this.#begun) this.begin();
  }
}
