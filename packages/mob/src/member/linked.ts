/**
 * TypeScript of this process as a member (spec: mob 1, 3.1).
 *
 * takes a factory; gives a workload; promises that what its tools do was asked of the guard before; refuses nothing by
 * itself; never lets a failure out of its turn.
 */
import { isFault, nodeError, type Fault, type Json, type Outcome, type Workload, type WorkloadMessage } from "@atoll-run/core";
import { toMemberMob, type MemberMob, type Verbs } from "../bridge/bridge.ts";
import { mobError } from "../errors.ts";
import type { Perform, PutOff, ToolAnswer, ToolCall } from "./host.ts";
import type { TurnContext } from "./turn-context.ts";

/** Who it is. */
export interface MemberFacts {
  readonly id: string;
  readonly profile: string;
  readonly generation: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly context: Json | null;
}

export interface LinkedTurn {
  readonly turn_id: string;
  readonly from: string;
  readonly principal: string;
  readonly conversation: string;
  readonly content: Json;
  /** 1 for the first run; one that was interrupted by a crash runs again. */
  readonly attempt: number;
  readonly deadline_at_ms: number;
  /** It tells what has become of that turn, which this member has sent with `reply`. */
  readonly in_reply_to?: string;
}

/**
 * What is to be done: the verb of a grant, and what to; `object` where no argument names it (`path`, `url`, `host`, `program`,
 * `command`, `recipient`, `to`).
 */
export type ToolUse = Pick<ToolCall, "grant" | "tool" | "object" | "args">;

export interface LinkedContext {
  /** Aborts at the deadline, on `cancel`, and when the member stops. */
  readonly signal: AbortSignal;
  remainingMs(): number;
  /**
   * Does `act` when grants and policy allow it: the one way to touch the world. Throws `grant.denied`, `mob.denied`. Where a decision is waited for the turn
   * is left, and runs again from its beginning afterwards.
   */
  guarded<T extends Json>(call: ToolUse, act: () => T | Promise<T>): Promise<T>;
  /** The mob it is in; each function by its grant `mob:<function>`. */
  readonly mob: MemberMob;
  /** Done in the one commit that ends the turn, or not at all. */
  set(key: string, value: Json): void;
  get(key: string): Promise<Json | undefined>;
}

/** What it gives is the output. Throw a fault with `retry: "never"` to fail at once; all else is tried again. */
export type LinkedHandler = (turn: LinkedTurn, ctx: LinkedContext) => Json | void | Promise<Json | void>;

/** With what it does for drafts that are released: by the name of the tool, with the arguments of the call that was put off. */
export interface LinkedCode {
  readonly turn: LinkedHandler;
  readonly tools: Readonly<Record<string, (args: Json, o: { readonly signal: AbortSignal }) => Json | Promise<Json>>>;
}

export type LinkedFactory = (me: MemberFacts) => LinkedHandler | LinkedCode | Promise<LinkedHandler | LinkedCode>;

export interface LinkedParts {
  readonly me: MemberFacts;
  readonly conversations: number;
  readonly verbs: Verbs;
  /** Grants alone. Throws `grant.denied`. */
  mayDo(call: PutOff): Promise<void>;
  /** Grants, then policy, for the turn of that id. */
  guard(turnId: string, call: ToolUse & Pick<ToolCall, "signal" | "done" | "trace"> & { readonly attempt: number }): Promise<ToolAnswer>;
  /** Does it within a span, and gives the work its `traceparent`. Absent: nobody takes it. */
  readonly tool?: <T>(turnId: string, call: ToolUse, work: (trace: string | undefined) => Promise<T>) => Promise<T>;
}

/** Gets the `traceparent` of the span that it is in. */
type Act<T> = (trace?: string) => T | Promise<T>;

const SPACE = "member";
const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

export function toLinkedMember(factory: LinkedFactory, { me, conversations, guard, verbs, mayDo, tool: around }: LinkedParts): Workload & { readonly perform: Perform } {
  let handle: LinkedHandler | undefined;
  let tools: LinkedCode["tools"] = {};
  return {
    kind: "linked", concurrency: conversations, route: () => ({ policy: {} }), close: async () => undefined,
    start: async () => {
      const made = await factory(me);
      if (typeof made === "function") handle = made;
      else ({ turn: handle, tools } = made);
    },
    perform: async (call, signal) => {
      const tool = call.tool !== null && Object.hasOwn(tools, call.tool) ? tools[call.tool] : undefined;
      if (tool === undefined) {
        throw mobError("mob.conflict", `${me.id} has no tool ${call.tool ?? call.grant} to make the call with`, {
          facts: { what: "state", approval: call.approval }, hint: "Its factory gives { turn, tools }.",
        });
      }
      await mayDo(call);
      return await tool(call.args, { signal });
    },
    dispatch: async (message, context) => {
      if (handle === undefined) throw nodeError("node.wrong_state", `${me.id} has not started`);
      try {
        const turn = { ...message.about, content: JSON.parse(DECODER.decode(message.payload)) } as unknown as LinkedTurn;
        const output = await handle(turn, contextOf(message, context as TurnContext, { guard, verbs, tool: around }));
        return { is: "done", reply: ENCODER.encode(JSON.stringify(output ?? null)), content_type: "application/json" };
      } catch (error) {
        return toOutcome(error);
      }
    },
  };
}

/**
 * What the code of one turn gets. A class for the sake of `mob`: V8 makes the accessor of an object literal old, and with it all that the literal holds,
 * so that each turn stayed until the next major collection.
 */
class TurnPowers implements LinkedContext {
  readonly signal: AbortSignal;
  readonly remainingMs: LinkedContext["remainingMs"];
  readonly guarded: <T extends Json>(call: ToolUse, act: Act<T>) => Promise<T>;
  readonly set: LinkedContext["set"];
  readonly get: LinkedContext["get"];
  readonly #turnId: string;
  readonly #verbs: Verbs;
  #mob: MemberMob | undefined;

  constructor(turnId: string, verbs: Verbs, powers: Omit<LinkedContext, "mob">) {
    this.#turnId = turnId;
    this.#verbs = verbs;
    this.signal = powers.signal;
    this.remainingMs = powers.remainingMs;
    this.guarded = powers.guarded;
    this.set = powers.set;
    this.get = powers.get;
  }

  /** Most turns ask nothing of it. */
  get mob(): MemberMob {
    const { signal, guarded, remainingMs } = this;
    return this.#mob ??= toMemberMob(this.#verbs, { turnId: this.#turnId, signal, guarded, leftMs: remainingMs });
  }
}

function contextOf({ id, attempt }: WorkloadMessage, context: TurnContext, { guard, verbs, tool }: Pick<LinkedParts, "guard" | "verbs"> & { readonly tool: LinkedParts["tool"] | undefined }): LinkedContext {
  const { signal } = context;
  const guarded = async <T extends Json>(call: ToolUse, act: Act<T>, trace?: string): Promise<T> => {
    context.check("tool");
    let keep: ((made: Json) => Promise<void>) | undefined;
    const answer = await guard(id, { ...call, signal, attempt, ...trace === undefined ? {} : { trace }, done: (tell) => { keep = tell; } });
    // It may have taken long.
    context.check("tool");
    signal.throwIfAborted();
    if (answer === "allow") {
      const made = await act(trace);
      await keep?.(made);
      return made;
    }
    if ("made" in answer) return answer.made as T;
    if ("deny" in answer) throw mobError("mob.denied", answer.deny, { facts: { grant: call.grant } });
    if ("answer" in answer) return answer.answer as T;
    throw mobError("mob.denied", "a decision is waited for", { facts: { park: answer.park } });
  };
  return new TurnPowers(id, verbs, {
    signal, remainingMs: () => context.remainingMs(),
    guarded: tool === undefined ? guarded : (call, act) => tool(id, call, (trace) => guarded(call, act, trace)),
    set: (key, value) => context.record([{ write: "set", space: SPACE, key, value: JSON.stringify(value) }]),
    get: async (key) => {
      const { value } = await context.read(SPACE, key);
      return value === null ? undefined : JSON.parse(value) as Json;
    },
  });
}

function toOutcome(error: unknown): Outcome {
  if (!isFault(error)) {
    const text = error instanceof Error ? error.message : String(error);
    return { is: "failed", fault: nodeError("node.internal", text, { cause: error }) };
  }
  const { park } = error.facts as { park?: string };
  if (typeof park === "string") return { is: "park", until: park };
  return error.retry === "never" ? refused(error) : { is: "failed", fault: error };
}

/** Trying again would not help. */
function refused({ code, message }: Fault): Outcome {
  return { is: "rejected", code, body: new Uint8Array(0), text: message, keeps_writes: false };
}
