/**
 * Approvals: human decisions on calls of tools (spec: mob 8.8 to 8.11).
 *
 * takes calls of members and decisions of principals; gives an answer for each call; promises that a call that needs a
 * decision runs only after it is stored, that the same call of a turn is one approval, and that open ones survive the
 * process; refuses deciders that may not, and new ones above a bound; never drops an open one.
 */
import type { Clock, Log } from "@atoll-run/core";
import { ByKey } from "../bounded.ts";
import type { ApprovalRule } from "../definition/definition.ts";
import { mobError } from "../errors.ts";
import type { NewId } from "../ids.ts";
import type { NewEntry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost, ToolAnswer, ToolCall, ToolGuard } from "../member/host.ts";
import { labelsOf } from "../roster/row.ts";
import type { View } from "../roster/view.ts";
import { Waiters } from "../waiters.ts";
import { approvalHash, approvalOf, decideApproval, type Approval, type Decision } from "./approval.ts";
import { dropArguments, objectOf, showArguments, wholeArguments } from "./arguments.ts";
import { judgeCall, stepToolsOf, type GuardedCall, type Judgement } from "./policy.ts";
import { Made } from "./made.ts";
import { Releases } from "./releases.ts";
import { Tending } from "./tending.ts";

export interface ApprovalParts {
  readonly ledger: Ledger;
  readonly writer: Writer;
  /** Of the roster, which hears the ledger before the book does. */
  readonly view: View;
  readonly rules: () => readonly ApprovalRule[];
  readonly host: Pick<MemberHost, "wake" | "performer" | "send">;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: Log;
  readonly limits: Pick<MobLimits, "approvalsOpenMax" | "approvalInPlaceMs" | "turnMs" | "previewBytes" | "retentionMs" | "contentBytesMax">;
}

export interface Decide {
  readonly id: string;
  /** `release`: the call of a draft is made now, once, and the member gets what it gives as a turn. */
  readonly decision: Decision;
  /** Who is signed in. */
  readonly principal: string;
  /** By the local token: may approve what it has begun itself. */
  readonly local: boolean;
  readonly reason?: string | undefined;
}

export interface ApprovalBook extends AsyncDisposable {
  /** Asked after the grants and before the call. Throws `mob.overloaded`, `mob.storage_degraded`: the call does not run. */
  readonly guard: ToolGuard;
  /** What the policy says of a call; nothing is asked or written. */
  judge(call: Pick<ToolCall, "member" | "grant" | "tool" | "fn" | "object" | "args" | "turn_id">): Judgement;
  /** Resolves when it is stored. Throws `mob.not_found`, `mob.approval_closed`, `mob.approver_mismatch`, `mob.self_approval_forbidden`, `mob.denied`. */
  decide(decision: Decide): Promise<Approval>;
  /** With all its arguments, while it is open. Throws `mob.not_found`. */
  get(id: string): Promise<Approval>;
  /** Resolves when it is not open any more. Throws `mob.not_found`, or the reason of the signal. */
  wait(id: string, signal: AbortSignal): Promise<Approval>;
}

/** Goes on with those that are open in the view. */
export function openApprovals(parts: ApprovalParts): ApprovalBook {
  return new Book(parts);
}

/** In these the call may be made later, with its arguments. */
const KEEP: ReadonlySet<Approval["state"]> = new Set(["open", "drafted", "released"]);

class Book implements ApprovalBook {
  readonly #parts: ApprovalParts;
  readonly #byKey = new ByKey();
  readonly #tending: Tending;
  readonly #releases: Releases;
  readonly #hearing: Disposable;
  readonly #waiters = new Waiters();
  readonly #made: Made;

  constructor(parts: ApprovalParts) {
    this.#parts = parts;
    const { view, clock, log, host, ledger } = parts;
    this.#tending = new Tending({
      view, clock, log, wake: (member, name) => host.wake(member, name), expire: (id, why) => this.#expire(id, why),
    });
    this.#releases = new Releases(parts);
    this.#made = new Made(parts);
    this.#hearing = ledger.hear((entry) => {
      this.#tending.hear(entry);
      this.#made.hear(entry);
      if (entry.kind === "mob_started") this.#releases.lookAll();
      const id = approvalOf(entry);
      if (id === undefined) return;
      this.#releases.look(id);
      this.#waiters.tell(id);
    });
  }

  readonly guard = async (call: ToolCall): Promise<ToolAnswer> => {
    const { tier, rule, step } = this.judge(call);
    switch (tier) {
      case "R0": return "allow";
      case "R1": case "R2": {
        const entry = this.#about(call, { kind: "action_allowed", data: { tier, ...rule === undefined ? {} : { rule_id: rule.id } } });
        if (tier === "R1") await this.#parts.ledger.note(this.#parts.writer, entry);
        else await this.#parts.ledger.append(this.#parts.writer, [entry]);
        return "allow";
      }
      case "deny": {
        const by = step === undefined ? { rule_id: rule?.id ?? "" } : { step };
        await this.#parts.ledger.append(this.#parts.writer, [this.#about(call, { kind: "access_denied", data: by })]);
        return { deny: step === undefined ? `the rule ${rule?.id ?? ""} does not allow it` : `the step ${step} does not allow it` };
      }
      case "R3": return this.#ask(call, rule as ApprovalRule);
    }
  };

  judge(call: Parameters<ApprovalBook["judge"]>[0]): Judgement {
    return judgeCall(this.#parts.rules(), this.#guarded(call));
  }

  decide({ id, decision, principal, local, reason }: Decide): Promise<Approval> {
    return this.#byKey.run(id, async () => {
      const approval = this.#known(id);
      const { view, ledger, writer } = this.#parts;
      if (view.members.has(principal)) throw mobError("mob.denied", "members never approve", { facts: { id, principal } });
      const state = decideApproval(approval, { principal, decision, local });
      await ledger.append(writer, [this.#of(approval, { kind: "approval_decided", principal, data: {
        id, decision, state, ...reason === undefined ? {} : { reason: reason.slice(0, 1_024) },
      } })], KEEP.has(state) ? [] : [dropArguments(id)]);
      return this.#known(id);
    });
  }

  async get(id: string): Promise<Approval> {
    const approval = this.#known(id);
    const { ledger } = this.#parts;
    const args = await wholeArguments(ledger.store, id);
    return args === undefined ? approval : { ...approval, args: ledger.redact(args) };
  }

  async wait(id: string, signal: AbortSignal): Promise<Approval> {
    while (this.#known(id).state === "open") await this.#waiters.next(id, signal);
    return this.#known(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hearing[Symbol.dispose]();
    await this.#releases.close();
    await this.#tending.close();
  }

  /** One approval for one call of a turn, however often the turn runs. Who can stay waits here. */
  async #ask(call: ToolCall, rule: ApprovalRule): Promise<ToolAnswer> {
    const { turn_id } = call;
    if (turn_id === undefined) return { deny: `the rule ${rule.id} asks for an approval, and only a turn can wait for one` };
    const guarded = this.#guarded(call);
    const hash = approvalHash(guarded, turn_id);
    const asked = await this.#byKey.run(hash, async () =>
      this.#parts.view.asked(hash) ?? await this.#request({ ...call, turn_id }, { guarded, hash, rule }));
    const { id, state } = asked;
    using held = state === "open" ? call.hold?.(`approval:${id}`) : undefined;
    const now = held === undefined ? asked : await this.wait(id, AbortSignal.any([call.signal, held.signal]));
    return now.state === "approved" ? await this.#made.find(call, now) ?? "allow" : toAnswer(now);
  }

  async #request(
    call: ToolCall & { readonly turn_id: string }, { guarded, hash, rule }: { readonly guarded: GuardedCall; readonly hash: string; readonly rule: ApprovalRule },
  ): Promise<Approval> {
    const { limits, newId, clock, ledger, writer } = this.#parts;
    if (this.#tending.open >= limits.approvalsOpenMax) {
      throw mobError("mob.overloaded", `${limits.approvalsOpenMax} approvals are open already`, {
        facts: { limit: limits.approvalsOpenMax }, hint: "Decide some of them.",
      });
    }
    const id = newId("a");
    const { args, ops } = showArguments(id, call.args, (value) => ledger.redact(value));
    const { approvers, quorum, on_timeout, self_approval, timeout_ms } = rule;
    const { trace } = call;
    await ledger.append(writer, [this.#about(call, { kind: "approval_requested", ...trace === undefined ? {} : { trace }, data: {
      id, member: call.member, turn_id: call.turn_id, rule_id: rule.id, grant: call.grant, tool: call.tool ?? null, object: guarded.object ?? null, fn: call.fn ?? null,
      args, hash, asked_by: call.principal ?? "", approvers: [...approvers], quorum, on_timeout, self_approval,
      // Code that stays where it is does so for a while only.
      expires_at_ms: clock.now() + (call.hold === undefined ? timeout_ms : Math.min(timeout_ms, limits.approvalInPlaceMs)),
    } })], ops);
    return this.#known(id);
  }

  #expire(id: string, why: "timeout" | "turn_over"): Promise<void> {
    return this.#byKey.run(id, async () => {
      const approval = this.#known(id);
      if (approval.state !== "open") return;
      const kind = why === "timeout" && approval.on_timeout === "draft" ? "approval_drafted" : "approval_timed_out";
      // A draft is not executed yet, and may be later: its arguments stay.
      const ops = kind === "approval_drafted" ? [] : [dropArguments(id)];
      await this.#parts.ledger.append(this.#parts.writer, [this.#of(approval, { kind, data: { id, why } })], ops);
    });
  }

  #known(id: string): Approval {
    const approval = this.#parts.view.approvals.get(id);
    if (approval === undefined) throw mobError("mob.not_found", `there is no approval ${id}`, { facts: { what: "approval", id } });
    return approval;
  }

  #guarded({ member, grant, tool, fn, args, turn_id = "", object = objectOf(args) }: Parameters<ApprovalBook["judge"]>[0]): GuardedCall {
    const { view } = this.#parts;
    const { taint, from: origin } = view.turns.get(turn_id) ?? {};
    const spec = view.members.get(member)?.spec;
    const step = stepToolsOf(view, turn_id);
    return {
      member, grant, args, profile: spec?.profile ?? "", labels: spec === undefined ? {} : labelsOf(view, spec),
      ...tool === undefined ? {} : { tool }, ...fn === undefined ? {} : { fn }, ...object === undefined ? {} : { object },
      ...taint === undefined ? {} : { taint }, ...origin === undefined ? {} : { origin }, ...step === undefined ? {} : { step },
    };
  }

  #about({ member, generation, turn_id, principal, grant, tool, args, object = objectOf(args) }: ToolCall, entry: Pick<NewEntry, "kind" | "trace" | "data">): NewEntry {
    const { run_id, step_id } = this.#parts.view.turns.get(turn_id ?? "") ?? {};
    return {
      source: "mob", member, generation, ...turn_id === undefined ? {} : { turn_id }, ...principal === undefined ? {} : { principal },
      ...run_id === undefined ? {} : { run_id }, ...step_id === undefined ? {} : { step_id }, ...entry,
      data: { grant, ...tool === undefined ? {} : { tool }, ...object === undefined ? {} : { object }, ...entry.data },
    };
  }

  #of({ member, turn_id }: Approval, entry: Pick<NewEntry, "kind" | "data" | "principal">): NewEntry {
    return { source: entry.principal === undefined ? "mob" : "api", member, turn_id, ...entry };
  }
}

function toAnswer({ id, state, decisions }: Approval): ToolAnswer {
  switch (state) {
    case "open": return { park: `approval:${id}` };
    case "approved": return "allow";
    case "rejected": {
      const { principal = "", reason } = decisions.at(-1) ?? {};
      return { deny: `${principal} has rejected it${reason === undefined ? "" : `: ${reason}`}` };
    }
    case "timed_out": return { deny: "nobody decided in time" };
    case "drafted": case "released": return { answer: `draft ${id}` };
  }
}
