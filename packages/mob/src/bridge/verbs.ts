/**
 * What a member may do with the mob it is in (spec: mob 3.10): the one host half of `mob` in scripts and of `ctx.mob`.
 *
 * takes a member and one call of it; gives what the call gives; promises that a turn which runs again sends nothing twice, and that
 * whoever waits for another waits no longer than its own turn has; refuses those it is not wired to, and to end what it has not made;
 * never asks for grants: whoever calls has been asked.
 */
import type { Clock, Json } from "@atoll-run/core";
import { z } from "zod";
import { memberId, memberSpec } from "../definition/schema.ts";
import { checkSpec } from "../definition/check-spec.ts";
import type { MemberSpec, MobDefinition, Profile } from "../definition/definition.ts";
import type { VerbName } from "../definition/words.ts";
import type { Blobs } from "../blobs/blobs.ts";
import { mobError } from "../errors.ts";
import type { FlowRunner } from "../flows/runner.ts";
import { shortHash } from "../ids.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import { preview } from "../ledger/stored.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost, TurnAsk } from "../member/host.ts";
import { FINAL_STATES } from "../member/life.ts";
import type { Ticket, Turn } from "../member/turn.ts";
import type { EdgeWorks } from "../reconcile/edge-works.ts";
import type { View } from "../roster/view.ts";
import { recordOp, toBlocks } from "../sessions/record.ts";

export interface VerbParts {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  readonly view: View;
  readonly members: Pick<MemberHost, "send" | "wait" | "spawn" | "retire">;
  readonly edges: Pick<EdgeWorks, "wire">;
  readonly flows: () => Pick<FlowRunner, "run">;
  readonly definition: () => Pick<MobDefinition, "profiles">;
  /** Also of one that the definition has not any more, as long as somebody lives by it. */
  readonly profileOf: (name: string) => Profile | undefined;
  readonly modelOf: (spec: MemberSpec, profile: Profile) => Promise<{ readonly provider?: string; readonly model?: string } | undefined>;
  readonly clock: Clock;
  readonly limits: MobLimits;
}

/** The member that calls: one incarnation of it. */
export interface Caller {
  readonly id: string;
  readonly generation: number;
  readonly session: string;
  readonly writer: () => Writer | undefined;
}

/** What the call is part of. */
export interface VerbCall {
  readonly signal: AbortSignal;
  /** Absent: outside of a turn. */
  readonly turn_id?: string | undefined;
  /** Milliseconds left of that turn. */
  readonly leftMs?: number | undefined;
  /** What is asked of others is a part of that; absent: of what has asked for the turn. */
  readonly traceparent?: string | undefined;
  /** How often the same was done in this run of the turn before; the same in the next run. */
  readonly nth: (what: string) => number;
}

type Named = { readonly [name: string]: Json };
export type Verb = (call: VerbCall, args: Named) => Promise<Json | undefined>;


const name = z.string().min(1).max(256);
/** An empty table of Lua may be a list. */
const optional = <S extends z.ZodType>(shape: S) => z.preprocess((given) => given === undefined || Array.isArray(given) && given.length === 0 ? {} : given, shape);
const sending = optional(z.strictObject({ key: name.optional(), conversation: name.optional(), timeout_ms: z.number().positive().optional(), reply: z.literal("turn").optional() }));
const ARGS = {
  send: z.object({ to: memberId, content: z.json().default(null), opts: sending }),
  wake: z.object({ content: z.json().default(null), opts: sending }),
  spawn: z.object({ spec: memberSpec }),
  retire: z.object({ id: memberId }),
  note: z.object({ content: z.json().default(null) }),
  flow: z.object({ flow: name, params: z.json().optional(), opts: optional(z.strictObject({ key: name.optional() })) }),
} as const;
type Sending = z.output<typeof sending>;

export function createVerbs(parts: VerbParts, caller: Caller): Readonly<Record<VerbName, Verb>> {
  const verbs = new MemberVerbs(parts, caller);
  return {
    "me": async () => verbs.me(), "members": async () => verbs.members(),
    "send": (call, args) => verbs.send(call, read("send", args)), "request": (call, args) => verbs.request(call, read("send", args)),
    "wake": (call, args) => verbs.send(call, { to: caller.id, ...read("wake", args) }), "spawn": (call, args) => verbs.spawn(call, read("spawn", args).spec as MemberSpec),
    "retire": (call, args) => verbs.retire(call, read("retire", args).id), "note": (call, args) => verbs.note(call, read("note", args).content),
    "flow.run": (call, args) => verbs.runFlow(call, read("flow", args)),
  };
}

class MemberVerbs {
  readonly #parts: VerbParts;
  readonly #by: Caller;

  constructor(parts: VerbParts, caller: Caller) {
    this.#parts = parts;
    this.#by = caller;
  }

  async me(): Promise<Json> {
    const { view, profileOf, modelOf } = this.#parts;
    const { id, generation, session } = this.#by;
    const { spec } = this.#known(id);
    const profile = profileOf(spec.profile);
    const model = profile === undefined ? undefined : await modelOf(spec, profile);
    return {
      id, profile: spec.profile, generation, session, labels: { ...profile?.labels, ...spec.labels }, context: spec.context ?? null,
      wired_to: view.wiredTo(id), ...model,
    };
  }

  members(): Json {
    return this.#parts.view.wiredTo(this.#by.id).map((id) => this.#peer(id));
  }

  async send(call: VerbCall, ask: Asking): Promise<Json> {
    return shown(await this.#send(call, ask, { what: "send", deadlineMs: ask.opts.timeout_ms }));
  }

  async request(call: VerbCall, ask: Asking): Promise<Json> {
    const { members, limits, clock } = this.#parts;
    const deadlineMs = Math.min(ask.opts.timeout_ms ?? Infinity, call.leftMs ?? limits.turnMs);
    const endMs = clock.monotonic() + deadlineMs;
    let ticket = await this.#send(call, ask, { what: "request", deadlineMs });
    // What failed for an earlier run of this turn may go well now.
    const old = ticket.duplicate && ask.opts.key === undefined ? this.#parts.view.turns.get(ticket.turn_id) : undefined;
    if (old !== undefined && FAILED.has(old.state)) ticket = await this.#send(call, ask, { what: `request again ${this.#attempt(call)}`, deadlineMs });
    const turn = await members.wait(ticket.turn_id, { signal: call.signal, waitMs: Math.max(1, endMs - clock.monotonic()) });
    if (turn.state === "done") return turn.output;
    throw failed(turn);
  }

  async spawn({ turn_id }: VerbCall, spec: MemberSpec): Promise<Json> {
    const { view, members, edges, limits, definition } = this.#parts;
    const { id } = this.#by;
    checkSpec(definition(), spec);
    const there = view.members.get(spec.id);
    const isOurs = there?.spawned_by === id && there.spec.profile === spec.profile && !FINAL_STATES.includes(there.life.state);
    if (!isOurs) {
      if (this.#depth(id) >= limits.helperDepthMax) {
        throw mobError("mob.overloaded", `${id} is ${limits.helperDepthMax} helpers deep and makes no more`, { facts: { limit: limits.helperDepthMax } });
      }
      const own = [...view.members.values()].filter(({ spawned_by, life }) => spawned_by === id && !FINAL_STATES.includes(life.state));
      if (own.length >= limits.helpersMax) {
        throw mobError("mob.overloaded", `${id} has ${limits.helpersMax} helpers already`, { facts: { limit: limits.helpersMax }, hint: "Retire one." });
      }
      await members.spawn(spec, { principal: this.#principal(turn_id), origin: "helper", lazy: true, spawnedBy: id });
    }
    if (!view.isWired(id, spec.id)) await edges.wire(id, spec.id, this.#principal(turn_id));
    return this.#peer(spec.id);
  }

  async retire({ turn_id }: VerbCall, id: string): Promise<undefined> {
    this.#known(id);
    if (!this.#isOwn(id)) throw mobError("mob.denied", `${id} was not made by ${this.#by.id}`, { facts: { member: id }, hint: "A member ends those it has made, and itself." });
    await this.#parts.members.retire(id, { principal: this.#principal(turn_id), waits: false });
  }

  async note({ turn_id }: VerbCall, content: Json): Promise<undefined> {
    const { ledger, blobs, clock, limits } = this.#parts;
    const { id, generation, session } = this.#by;
    const writer = this.#by.writer();
    if (writer === undefined) throw mobError("mob.interrupted", `${id} is being stopped`);
    const record = { turn_id: turn_id ?? null, role: "note", blocks: toBlocks(content), tokens: 0, ts_ms: clock.now() } as const;
    const text = typeof content === "string" ? content : JSON.stringify(content);
    const op = await recordOp(session, record, { ledger, blobs, limits });
    await ledger.append(writer, [{
      kind: "note", source: "member", member: id, generation, fence: writer.epoch, session: { id: session }, ...turn_id === undefined ? {} : { turn_id },
      data: { text: preview(text, limits.previewBytes) },
    }], [op]);
  }

  async runFlow(call: VerbCall, { flow, params, opts }: z.output<typeof ARGS.flow>): Promise<Json> {
    const key = opts.key ?? this.#key(call, "flow.run", [flow, params ?? null]);
    const traceparent = call.traceparent ?? this.#parts.view.turns.get(call.turn_id ?? "")?.trace;
    const { run_id, state } = await this.#parts.flows().run({ flow, params, principal: this.#principal(call.turn_id), key, traceparent });
    return { run_id, state };
  }

  async #send(call: VerbCall, { to, content, opts }: Asking, o: { readonly what: string; readonly deadlineMs: number | undefined }): Promise<Ticket> {
    const key = opts.key ?? this.#key(call, o.what, [to, content]);
    const { taint, trace } = this.#parts.view.turns.get(call.turn_id ?? "") ?? {};
    const traceparent = call.traceparent ?? trace;
    const ask: TurnAsk = {
      ...taint === undefined ? {} : { taint }, to, content, from: this.#by.id, principal: this.#principal(call.turn_id), ...key === undefined ? {} : { key },
      ...opts.conversation === undefined ? {} : { conversation: opts.conversation }, ...o.deadlineMs === undefined ? {} : { deadlineMs: o.deadlineMs },
      ...traceparent === undefined ? {} : { traceparent }, ...opts.reply === undefined || o.what !== "send" ? {} : { reply: opts.reply },
    };
    return await this.#parts.members.send(ask);
  }

  /** The same for the same act of a turn, however often it runs. */
  #key({ turn_id, nth }: VerbCall, what: string, about: Json): string | undefined {
    if (turn_id === undefined) return undefined;
    const text = JSON.stringify([what, about]);
    return shortHash(turn_id, text, String(nth(text)));
  }

  #attempt({ turn_id = "" }: VerbCall): number {
    return this.#parts.view.turns.get(turn_id)?.attempt ?? 0;
  }

  /** On whose behalf: of whoever gave the turn; outside of one its own. */
  #principal(turnId: string | undefined): string {
    const turn = turnId === undefined ? undefined : this.#parts.view.turns.get(turnId);
    return turn?.principal ?? `member:${this.#by.id}`;
  }

  #known(id: string): NonNullable<ReturnType<View["members"]["get"]>> {
    const member = this.#parts.view.members.get(id);
    if (member === undefined) throw mobError("mob.not_found", `there is no member ${id}`, { facts: { member: id } });
    return member;
  }

  #peer(id: string): Json {
    const { spec, life } = this.#known(id);
    const labels = { ...this.#parts.profileOf(spec.profile)?.labels, ...spec.labels };
    return { id, profile: spec.profile, state: life.state, labels, ...spec.display_name === undefined ? {} : { display_name: spec.display_name } };
  }

  #depth(id: string): number {
    let depth = 0;
    for (let at = this.#parents(id); at !== undefined; at = this.#parents(at)) depth += 1;
    return depth;
  }

  #isOwn(id: string): boolean {
    for (let at: string | undefined = id; at !== undefined; at = this.#parents(at)) if (at === this.#by.id) return true;
    return false;
  }

  #parents(id: string): string | undefined {
    return this.#parts.view.members.get(id)?.spawned_by;
  }
}

interface Asking {
  readonly to: string;
  readonly content: Json;
  readonly opts: Sending;
}

const FAILED: ReadonlySet<Turn["state"]> = new Set(["failed", "cancelled", "expired", "dead"]);

function read<K extends keyof typeof ARGS>(verb: K, args: Named): z.output<typeof ARGS[K]> {
  const result = ARGS[verb].safeParse(args);
  if (result.success) return result.data as z.output<typeof ARGS[K]>;
  const [issue] = result.error.issues;
  const path = issue?.path.join(".") ?? "";
  throw mobError("mob.invalid_params", `mob.${verb}: ${path === "" ? "" : `${path}: `}${issue?.message ?? "wrong arguments"}`, { facts: { path } });
}

function shown({ turn_id, member, state, duplicate }: Ticket): Json {
  return { turn_id, member, state, duplicate };
}

function failed({ turn_id, member, state, error }: Turn): Error {
  const facts = { turn_id, member, state, ...error === null ? {} : { code: error.code } };
  if (state === "expired") return mobError("mob.deadline", `${member} did not answer in time`, { facts });
  return mobError("mob.tool_failed", `${member} did not answer: ${error?.text ?? state}`, { facts, retry: "later" });
}
