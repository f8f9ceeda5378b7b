/**
 * One run, from its first step to its end (spec: mob 9.4).
 *
 * takes a run as the roster has it; gives entries and turns; promises that an entry is there before what it says is done, and
 * that who has answered is not asked again, after a start too; refuses nothing; never is more than one loop and one timer.
 */
import { isFault, withDeadline, type Clock, type Log } from "@atoll-run/core";
import { mobError, toFailure } from "../errors.ts";
import type { NewEntry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost } from "../member/host.ts";
import type { MobTracer } from "../observe/tracer.ts";
import type { View } from "../roster/view.ts";
import type { Blobs } from "../blobs/blobs.ts";
import { again, askTarget, type Answer } from "./asking.ts";
import { decideRun, messageOf, type Candidate, type Move } from "./decide.ts";
import { waitedMs, type Run, type Target } from "./run.ts";
import { StepSpans } from "./step-spans.ts";
import { WholeOutputs } from "./whole.ts";

export interface RunParts {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  readonly writer: Writer;
  readonly view: View;
  readonly host: Pick<MemberHost, "send" | "wait" | "cancel">;
  readonly clock: Clock;
  readonly log: Log;
  readonly tracer?: MobTracer | undefined;
  readonly limits: Pick<MobLimits, "runMs" | "cancelMs">;
}

const BATCH = 500;
const RETRY_MS = 1_000;
const USABLE: ReadonlySet<string> = new Set(["starting", "active", "dormant", "suspended"]);
/** Nobody needs the answer any more. */
const UNNEEDED = mobError("mob.interrupted", "its answer is not needed any more");
/** It may go on, but nobody hears it. */
const LEFT = mobError("mob.interrupted", "its answer is not waited for any more");

interface Asked {
  readonly step: string;
  readonly target: Target;
  readonly controller: AbortController;
  readonly over: Promise<void>;
}

export class RunLoop {
  /** Resolves when the run is over or the loop has been stopped. */
  readonly over: Promise<void>;
  readonly #id: string;
  readonly #parts: RunParts;
  readonly #asked = new Map<string, Asked>();
  readonly #answered = new WeakSet<Target>();
  /** Of asks that ended, not yet written. */
  #answers: NewEntry[] = [];
  readonly #whole: WholeOutputs;
  /** Undefined: nobody takes them. */
  readonly #spans: StepSpans | undefined;
  #cancelled: string | undefined;
  #news = Promise.withResolvers<void>();
  #stopped = false;

  constructor(id: string, parts: RunParts) {
    this.#id = id;
    this.#parts = parts;
    this.#whole = new WholeOutputs(parts.ledger.store);
    this.#spans = parts.tracer === undefined ? undefined : new StepSpans(parts.tracer);
    this.over = this.#go();
  }

  /** Its turns are cancelled, then it is `canceled`. */
  cancel(principal: string): void {
    this.#cancelled ??= principal;
    this.#news.resolve();
  }

  /** Something has happened that may change what is next. */
  look(): void {
    this.#news.resolve();
  }

  /** Whoever is broken gives no answer: what he was asked has failed, and may be asked of another. */
  memberBroken(member: string): void {
    const silent = [...this.#asked.values()].filter(({ target, controller }) => target.member === member && !controller.signal.aborted && !this.#answered.has(target));
    for (const { step, target } of silent) {
      const error = { code: "mob.member_broken", text: `${member} is broken` };
      this.#answers.push(toAnswerEntry({ ok: false, error }, { step, target }));
    }
    void this.#drop(silent, UNNEEDED);
    this.#news.resolve();
  }

  /** Leaves it as it is, for the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#news.resolve();
    await this.over;
  }

  async #go(): Promise<void> {
    this.#askOpen(this.#run());
    for (let run = this.#run(); run?.state === "running" && !this.#stopped; run = this.#run()) {
      try {
        const waitMs = await this.#step(run);
        if (waitMs > 0) await this.#wait(waitMs);
      } catch (error) {
        if (isFault(error) && error.code === "mob.stale_fence") break;
        const { code, text } = toFailure(error);
        this.#parts.log.write({ level: "warn", target: "flows", msg: "a run waits for the ledger", fields: { run: this.#id, code, text } });
        await this.#wait(RETRY_MS);
      }
    }
    const run = this.#run();
    const reason = run?.state === "running" ? mobError("mob.shutting_down", "the mob is stopping") : UNNEEDED;
    const mayFinish = ({ step }: Asked): boolean => run?.definition.steps[step]?.let_finish === true && run.steps[step]?.state === "completed";
    const asked = [...this.#asked.values()];
    await Promise.all([this.#drop(asked.filter(mayFinish), LEFT), this.#drop(asked.filter((one) => !mayFinish(one)), reason)]);
    this.#spans?.close();
  }

  /** Milliseconds until it is to be looked at again; 0: at once. */
  async #step(run: Run): Promise<number> {
    const { clock, limits } = this.#parts;
    this.#news = Promise.withResolvers();
    if (this.#cancelled !== undefined) {
      await this.#drop([...this.#asked.values()], UNNEEDED);
      await this.#append([{ kind: "flow_canceled", source: "flow", principal: this.#cancelled, data: {} }]);
      return 0;
    }
    if (this.#answers.length > 0) {
      const answers = this.#answers.slice(0, BATCH);
      await this.#append(answers);
      this.#answers = this.#answers.slice(answers.length);
      return 0;
    }
    const { moves, wake_at_ms } = decideRun(await this.#whole.fill(run), { candidates: this.#candidates(), now_ms: clock.now(), run_ms: limits.runMs });
    if (moves.length === 0) return wake_at_ms === null ? Infinity : Math.max(1, wake_at_ms - clock.now());
    if (run.escalated !== undefined && moves.some(({ is }) => is === "failed")) await this.#tellSupervisor(run, run.escalated);
    for (let at = 0; at < moves.length; at += BATCH) await this.#append(moves.slice(at, at + BATCH).map((move) => toEntry(move, run)));
    const ended = new Set(moves.flatMap((move) => "cancel" in move && "step" in move && !(move.is === "step_completed" && run.definition.steps[move.step]?.let_finish === true) ? [move.step] : []));
    // Not waited for: the run goes on while they end.
    void this.#drop([...this.#asked.values()].filter(({ step }) => ended.has(step)), UNNEEDED);
    this.#askOpen(this.#run());
    return 0;
  }

  /** The least loaded of the role; whether or not it can be told, the run fails. */
  async #tellSupervisor({ run_id, round, flow, principal, definition: { supervisor }, steps, trace }: Run, step: string): Promise<void> {
    const { host, clock, limits, log } = this.#parts;
    const [to] = this.#candidates().filter(({ profile, usable }) => usable && profile === supervisor?.role).toSorted((a, b) => a.load - b.load || (a.id < b.id ? -1 : 1));
    if (to === undefined) return;
    const { code = "mob.tool_failed", text = "" } = steps[step]?.error ?? {};
    const content = { run_id, flow, step, error: { code, text } };
    const ask = { to: to.id, from: "flow", principal, content, conversation: run_id, key: `${run_id}~${round}/supervisor`, ...trace === undefined ? {} : { traceparent: trace } };
    const telling = (signal: AbortSignal) => again(() => host.send(ask), this.#parts, signal);
    await withDeadline(telling, { clock, ms: limits.cancelMs, what: "the supervisor" }).catch((error: unknown) => {
      log.write({ level: "warn", target: "flows", msg: "the supervisor was not told", fields: { run: run_id, ...toFailure(error) } });
    });
  }

  async #wait(ms: number): Promise<void> {
    using _ = Number.isFinite(ms) ? this.#parts.clock.after(ms, () => this.#news.resolve()) : NOTHING;
    await this.#news.promise;
  }

  /** Those that are open and that this process has not asked yet. */
  #askOpen(run: Run | undefined): void {
    if (run?.state !== "running" || this.#stopped) return;
    for (const [step, { state, targets }] of Object.entries(run.steps)) {
      if (state !== "running") continue;
      for (const target of Object.values(targets)) {
        const name = `${step}/${target.name}/${target.attempt}`;
        if (target.state === "open" && !this.#asked.has(name)) this.#ask(name, { run, step, target });
      }
    }
  }

  #ask(name: string, { run, step, target }: { readonly run: Run; readonly step: string; readonly target: Target }): void {
    const controller = new AbortController();
    const asking = this.#answerOf(name, { run, step, target }, controller.signal).then((answer) => {
      if (answer !== undefined && !controller.signal.aborted) {
        this.#answered.add(target);
        this.#answers.push(toAnswerEntry(answer, { step, target }));
        this.#news.resolve();
      }
    });
    this.#asked.set(name, { step, target, controller, over: asking });
  }

  async #answerOf(name: string, { run, step, target }: { readonly run: Run; readonly step: string; readonly target: Target }, signal: AbortSignal): Promise<Answer | undefined> {
    const { run_id, round, principal, definition } = run;
    const traceparent = this.#spans?.of(run, step) ?? run.trace;
    const planned = definition.steps[step] as Run["definition"]["steps"][string];
    const whole = await again(() => this.#whole.fill(run), this.#parts, signal).catch((error: unknown) => toFailure(error));
    if ("code" in whole) return signal.aborted ? undefined : { ok: false, error: whole };
    const message = messageOf(whole, step, target);
    if (!message.ok) return { ok: false, error: { code: "mob.invalid_params", text: message.problem } };
    const nowMs = this.#parts.clock.now();
    const { started_at_ms, waits } = run.steps[step] as Run["steps"][string];
    const leftMs = (started_at_ms ?? nowMs) + planned.timeout_ms + waitedMs(waits, nowMs) - nowMs;
    return askTarget({
      to: target.member, from: "flow", principal, content: message.value, conversation: run_id,
      key: `${run_id}${round === 0 ? "" : `~${round}`}/${name}`, deadlineMs: Math.max(1, leftMs),
      run: { run_id, step_id: step }, ...traceparent === undefined ? {} : { traceparent },
    }, { ...this.#parts, step: planned }, { signal, cancels: UNNEEDED });
  }

  /** Nobody waits for them any more. */
  async #drop(asked: readonly Asked[], reason: unknown): Promise<void> {
    for (const { controller } of asked) controller.abort(reason);
    await Promise.all(asked.map(({ over }) => over));
  }

  async #append(entries: readonly NewEntry[]): Promise<void> {
    await this.#parts.ledger.append(this.#parts.writer, entries.map((entry) => ({ ...entry, run_id: this.#id })));
    this.#spans?.look(this.#run());
  }

  #run(): Run | undefined {
    return this.#parts.view.runs.get(this.#id);
  }

  #candidates(): readonly Candidate[] {
    return [...this.#parts.view.members.values()].map(({ spec, life, open }) =>
      ({ id: spec.id, profile: spec.profile, usable: USABLE.has(life.state), broken: life.state === "broken", load: open.length }));
  }
}

const NOTHING: Disposable = { [Symbol.dispose]: () => undefined };

function toEntry(move: Move, { principal, revision }: Run): NewEntry {
  const of = (kind: NewEntry["kind"], data: NewEntry["data"] = {}): NewEntry =>
    ({ kind, source: "flow", principal, ..."step" in move ? { step_id: move.step } : {}, data });
  switch (move.is) {
    case "dispatch": return of("step_dispatched", { target: move.target, member: move.member, attempt: move.attempt, at: revision });
    case "target_failed": return of("step_target_failed", { target: move.target, error: { ...move.error } });
    case "step_completed": return of("step_completed");
    case "step_failed": return of("step_failed", { error: { ...move.error } });
    case "step_skipped": return of("step_skipped");
    case "forbidden": return of("topology_violation", { from: move.from, to: move.to, mode: move.mode });
    case "escalate": return of("supervisor_escalation", { role: move.role, failures: move.failures, error: { ...move.error } });
    case "completed": return of("flow_completed");
    case "failed": return of("flow_failed", { error: { ...move.error } });
  }
}

function toAnswerEntry(answer: Answer, { step, target }: { readonly step: string; readonly target: Target }): NewEntry {
  const at = { source: "flow", step_id: step, member: target.member, ...answer.turn_id === undefined ? {} : { turn_id: answer.turn_id } };
  const { name, attempt } = target;
  if (answer.ok) return { ...at, kind: "step_target_completed", data: { target: name, attempt } };
  return { ...at, kind: "step_target_failed", data: { target: name, attempt, error: { ...answer.error } } };
}
