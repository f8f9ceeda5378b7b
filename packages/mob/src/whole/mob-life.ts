/**
 * What is done to a mob as a whole (spec: mob 2.5): stop, resume, complete, reset, destroy.
 *
 * takes commands; gives moves of its state; promises that each is in the ledger before it is made, that its answer waits for no member, and
 * that a start goes on with what a dead process had begun; refuses what its state does not allow; never ends the process.
 */
import { mobError, toFailure, type MobError } from "../errors.ts";
import { eachOf } from "../bounded.ts";
import type { FlowRunner } from "../flows/runner.ts";
import type { EntryKind, NewEntry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { Members } from "../member/members.ts";
import type { Reconciler } from "../reconcile/engine.ts";
import type { MobState } from "../roster/mob-fold.ts";
import type { View } from "../roster/view.ts";
import type { Clock, Log } from "@atoll-run/core";

/** Command → states in which it means something, its entry, and the state that it leads to. */
export const MOB_COMMANDS = {
  stop: { from: ["running"], kind: "mob_stopping", to: "stopping" },
  resume: { from: ["stopped"], kind: "mob_started", to: "running" },
  complete: { from: ["running", "stopped"], kind: "mob_completed", to: "completed" },
  reset: { from: ["running", "stopped"], kind: "mob_reset", to: "creating" },
  destroy: { from: ["creating", "running", "stopping", "stopped", "completed"], kind: "mob_destroying", to: "destroyed" },
} as const satisfies Readonly<Record<string, { readonly from: readonly MobState[]; readonly kind: EntryKind; readonly to: MobState }>>;

export type MobCommand = keyof typeof MOB_COMMANDS;

export interface MobLifeParts {
  readonly ledger: Ledger;
  readonly writer: Writer;
  readonly view: View;
  readonly members: Members;
  readonly flows: Pick<FlowRunner, "cancel" | "pause" | "goOn">;
  readonly reconciler: Pick<Reconciler, "reconcile" | "pause" | "goOn">;
  readonly clock: Clock;
  readonly log: Log;
  readonly drainMs: number;
  /** Ends what is left of it in this process, and lets its store be removed. */
  readonly end: () => void;
}

const NODE_STEP_MS = 1_000;
const AT_ONCE = 64;
const NOBODY = (): void => undefined;

export class MobLife {
  readonly #parts: MobLifeParts;
  readonly #ending = new AbortController();
  #line: Promise<unknown> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();

  constructor(parts: MobLifeParts) {
    this.#parts = parts;
  }

  /** Resolves when it is in the ledger; what follows from it goes on behind. Throws `mob.conflict`, `mob.shutting_down`, `mob.storage_degraded`. */
  command(command: MobCommand, by: { readonly principal: string }): Promise<void> {
    const done = this.#line.then(() => this.#command(command, by.principal));
    this.#line = done.catch(NOBODY);
    return done;
  }

  /** At a start, before anything of it runs: true when its members and flows are to run. */
  begin(): boolean {
    const { state, resetting } = this.#parts.view.mob;
    if (state === "running" || state === "creating" && !resetting) return true;
    this.#refuse(state);
    if (state === "completed" || resetting) this.#then(resetting ? "reset" : "complete");
    return false;
  }

  /** What goes on behind is left to the next start. */
  async close(): Promise<void> {
    this.#ending.abort(new Error("the process ends"));
    await this.#line;
    await this.#work;
  }

  async #command(command: MobCommand, principal: string): Promise<void> {
    const { view, ledger, writer } = this.#parts;
    const { from, kind, to } = MOB_COMMANDS[command];
    const { state } = view.mob;
    if (this.#ending.signal.aborted) throw mobError("mob.shutting_down", "the mob is stopping");
    // Asked for again.
    if (state === to || command === "stop" && state === "stopped") return;
    if (!(from as readonly MobState[]).includes(state)) {
      throw mobError("mob.conflict", `the mob is ${state}: it cannot ${command}`, { facts: { what: "state", state, command } });
    }
    await ledger.append(writer, [{ kind, source: "mob", principal, data: { state: to } }]);
    if (to !== "running") this.#refuse(to);
    this.#then(command);
  }

  #refuse(state: MobState): void {
    const { members, flows, reconciler } = this.#parts;
    const why = notNow(state);
    members.refuse(why, { retires: state === "creating" || state === "completed" });
    flows.pause(why);
    reconciler.pause(why);
  }

  #then(command: MobCommand): void {
    this.#work = this.#work.then(() => this.#do(command)).catch((error: unknown) => {
      if (this.#ending.signal.aborted) return;
      const { ledger, writer, log } = this.#parts;
      const failure = toFailure(error);
      void ledger.note(writer, { kind: "host_loop_crash", source: "mob", data: { what: command, error: { ...failure } } });
      log.write({ level: "error", target: "mob", msg: `${command} could not be finished; the next start goes on with it`, fields: { ...failure } });
    });
  }

  async #do(command: MobCommand): Promise<void> {
    if (this.#ending.signal.aborted) return;
    switch (command) {
      case "stop":
        await this.#rest();
        return void await this.#say({ kind: "mob_stopped", data: { state: "stopped" } });
      case "resume": return await this.#wake();
      case "complete":
        await this.#retireAll(this.#parts.drainMs);
        return await this.#rest();
      case "reset": return await this.#reset();
      case "destroy": return this.#parts.end();
    }
  }

  /** Turns that run may end, the others go back into their mailboxes, nodes close. */
  async #rest(): Promise<void> {
    const { members, clock, drainMs } = this.#parts;
    const late = new AbortController();
    using _ = clock.after(drainMs, () => late.abort());
    await members.drain(AbortSignal.any([late.signal, this.#ending.signal]));
    // The end of the process does the rest, and counts it.
    if (this.#ending.signal.aborted) return;
    await members.close({ stepMs: NODE_STEP_MS, aborted: NOBODY });
    await members.sleepAll("stopped");
  }

  async #wake(): Promise<void> {
    const { members, flows, reconciler } = this.#parts;
    await members.recover();
    await flows.goOn();
    reconciler.goOn();
  }

  /** Runs are over, members retired; what they have not done by then are dead letters. */
  async #retireAll(drainMs: number): Promise<void> {
    const { view, members, flows } = this.#parts;
    const by = { principal: "mob" };
    const { signal } = this.#ending;
    members.refuse(notNow(view.mob.state), { retires: true });
    const runs = [...view.runs.values()].flatMap(({ run_id, state }) => state === "running" ? [run_id] : []);
    await flows.goOn();
    await eachOf(runs, AT_ONCE, async (id) => void await flows.cancel(id, { ...by, signal }).catch(NOBODY));
    flows.pause(notNow(view.mob.state));
    const left = (): readonly string[] => view.ids().filter((id) => view.row(id)?.final === false);
    await eachOf(left(), AT_ONCE, async (id) => {
      if (!signal.aborted) await members.retire(id, { ...by, drainMs, waits: false }).catch((error: unknown) => this.#warn(id, error));
    });
    await eachOf(left(), Infinity, async (id) => {
      if (!signal.aborted) await members.retire(id, { ...by, drainMs }).catch((error: unknown) => this.#warn(id, error));
    });
    signal.throwIfAborted();
  }

  async #reset(): Promise<void> {
    const { members } = this.#parts;
    await this.#retireAll(0);
    await members.drain(this.#ending.signal);
    await members.close({ stepMs: NODE_STEP_MS, aborted: NOBODY });
    // Those of the definition come back, each with a new session; those that were asked for are forgotten.
    await this.#say({ kind: "desired_set", data: { desired: [] } }, { kind: "mob_started", data: { state: "running" } });
    await this.#wake();
    await this.#parts.reconciler.reconcile({ principal: "mob" });
  }

  async #say(...entries: readonly Pick<NewEntry, "kind" | "data">[]): Promise<void> {
    const { ledger, writer } = this.#parts;
    await ledger.append(writer, entries.map((entry) => ({ ...entry, source: "mob" })));
  }

  #warn(member: string, error: unknown): void {
    if (this.#ending.signal.aborted) return;
    this.#parts.log.write({ level: "warn", target: "mob", msg: "a member could not be retired", fields: { member, reason: String(error) } });
  }
}

function notNow(state: MobState): MobError {
  const facts = { what: "state", state };
  if (state === "completed" || state === "destroyed") return mobError("mob.conflict", `the mob is ${state}`, { facts });
  return mobError("mob.unavailable", `the mob is ${state === "creating" ? "being made anew" : state}`, {
    facts, hint: state === "creating" ? "Ask again in a while." : "lifecycle/resume lets it go on.",
  });
}
