/** The verbs as a block calls them, and as linked code does (spec: mob 3.10). */
import type { GivenBridges, GivenCall, GivenFunction } from "@atoll-run/block";
import type { Json } from "@atoll-run/core";
import { VERBS, type VerbName } from "../definition/words.ts";
import type { Caller, Verb, VerbCall } from "./verbs.ts";

export type Verbs = Readonly<Record<VerbName, Verb>>;
export type MakeVerbs = (caller: Caller) => Verbs;

/** How a turn is given to another; `timeoutMs`: from acceptance to the end. */
export interface SendOptions {
  readonly key?: string;
  readonly conversation?: string;
  readonly timeoutMs?: number;
  /** `send`: its end comes back as a turn for this member, with `in_reply_to`. */
  readonly reply?: "turn";
}

/** What linked code does with its mob; every function by its grant `mob:<function>`. Arguments and results as in the script API. */
export interface MemberMob {
  me(): Promise<Json>;
  members(): Promise<Json>;
  send(to: string, content: Json, o?: SendOptions): Promise<Json>;
  /** Waits for the output, at most as long as this turn has. Throws `mob.tool_failed`, `mob.deadline`. */
  request(to: string, content: Json, o?: SendOptions): Promise<Json>;
  spawn(spec: Json): Promise<Json>;
  retire(id: string): Promise<void>;
  wake(content: Json, o?: SendOptions): Promise<Json>;
  note(content: Json): Promise<void>;
  readonly flow: { run(flow: string, params?: Json, o?: Pick<SendOptions, "key">): Promise<Json> };
}

/** Counts what was done in each run of a turn. */
function counter(): VerbCall["nth"] {
  const done = new Map<string, number>();
  return (what) => {
    const nth = done.get(what) ?? 0;
    done.set(what, nth + 1);
    return nth;
  };
}

/** What is known of turns: the one that runs, for calls that say nothing of theirs, and what is left of each, milliseconds. */
export interface TurnsNow {
  readonly runningTurn: () => string | undefined;
  readonly leftOf: (turnId: string) => number | undefined;
  readonly traceOf: (turnId: string) => string | undefined;
}

/** For a block. */
export function toBridges(verbs: Verbs, { runningTurn, leftOf, traceOf }: TurnsNow): GivenBridges {
  const counters = new WeakMap<object, VerbCall["nth"]>();
  const toCall = ({ signal, origin }: GivenCall): VerbCall => {
    const about = origin?.about?.["turn_id"];
    const turn_id = typeof about === "string" ? about : origin === undefined ? undefined : runningTurn();
    const nth = origin === undefined ? () => 0 : counters.get(origin) ?? counter();
    if (origin !== undefined) counters.set(origin, nth);
    if (turn_id === undefined) return { signal, turn_id, nth };
    return { signal, turn_id, leftMs: leftOf(turn_id), traceparent: traceOf(turn_id), nth };
  };
  const mob = Object.fromEntries(VERBS.map((name): [string, GivenFunction] => [name, (args, call) => verbs[name](toCall(call), args) as Promise<Json>]));
  return { mob };
}

/** For one run of one turn of linked code. `guarded` asks the grants and the rules before it acts. */
export function toMemberMob(
  verbs: Verbs, o: { readonly turnId: string; readonly signal: AbortSignal; readonly leftMs: () => number; readonly guarded: Guarded },
): MemberMob {
  const nth = counter();
  const does = async (verb: VerbName, args: Record<string, Json | undefined>): Promise<Json> => {
    const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined)) as Record<string, Json>;
    const object = verb.split(".")[0] as string;
    return await o.guarded({ grant: "mob", tool: `mob.${verb}`, object, args: given }, async (traceparent) => {
      const leftMs = o.leftMs();
      return await verbs[verb]({ signal: o.signal, turn_id: o.turnId, nth, traceparent, leftMs: Number.isFinite(leftMs) ? leftMs : undefined }, given) ?? null;
    });
  };
  return {
    me: () => does("me", {}), members: () => does("members", {}),
    send: (to, content, opts) => does("send", { to, content, opts: snake(opts) }), request: (to, content, opts) => does("request", { to, content, opts: snake(opts) }),
    spawn: (spec) => does("spawn", { spec }), wake: (content, opts) => does("wake", { content, opts: snake(opts) }),
    retire: async (id) => void await does("retire", { id }), note: async (content) => void await does("note", { content }),
    flow: { run: (flow, params, opts) => does("flow.run", { flow, params, opts: snake(opts) }) },
  };
}

type Guarded = (
  call: { readonly grant: string; readonly tool: string; readonly object: string; readonly args: Json }, act: (traceparent?: string) => Promise<Json>,
) => Promise<Json>;

function snake(o: SendOptions = {}): Json {
  const { timeoutMs, ...rest } = o;
  return { ...rest, ...timeoutMs === undefined ? {} : { timeout_ms: timeoutMs } };
}
