/**
 * What the ledger is told of the runs of agents (spec: mob 5.2): that they began and ended, and what each call of a model took.
 *
 * takes what a block tells; gives leave; promises that what a call took is in the ledger before its answer is used; refuses calls by
 * budget, and those of an incarnation that is over; never keeps anything itself.
 */
import type { AgentAsk, AgentWatch, ModelAsk } from "@atoll-run/block";
import type { MobDefinition } from "../definition/definition.ts";
import { mobError } from "../errors.ts";
import type { NewEntry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { Turn } from "../member/turn.ts";
import type { Budgets } from "./budgets.ts";
import { priceOf, usageOfCall } from "./prices.ts";

export interface WatchParts {
  readonly ledger: Ledger;
  readonly budgets: Pick<Budgets, "checkModel">;
  readonly prices: () => MobDefinition["prices"];
  readonly turnOf: (turnId: string) => Turn | undefined;
}

/** One incarnation of a member. */
export interface Watched {
  readonly member: string;
  readonly generation: number;
  /** Undefined: it is over. */
  readonly writer: () => Writer | undefined;
  /** The turn that runs, where there is only one: for calls that say nothing of theirs. */
  readonly runningTurn: () => string | undefined;
}

export type MakeWatch = (of: Watched) => AgentWatch;

export function createWatch({ ledger, budgets, prices, turnOf: known }: WatchParts, { member, generation, writer, runningTurn }: Watched): AgentWatch {
  const turnOf = ({ about }: AgentAsk): string | undefined => {
    const turn = about?.["turn_id"];
    return typeof turn === "string" ? turn : runningTurn();
  };
  const runOf = (turnId: string): Pick<NewEntry, "run_id" | "step_id"> => {
    const { run_id, step_id } = known(turnId) ?? {};
    return { ...run_id === undefined ? {} : { run_id }, ...step_id === undefined ? {} : { step_id } };
  };
  const say = async (ask: AgentAsk, kind: NewEntry["kind"], data: NewEntry["data"]): Promise<void> => {
    const by = writer();
    if (by === undefined) throw mobError("mob.interrupted", `${member} is being stopped`);
    const turn_id = turnOf(ask);
    await ledger.append(by, [{
      kind, source: "member", member, generation, fence: by.epoch, ...turn_id === undefined ? {} : { turn_id, ...runOf(turn_id) }, data,
    }]);
  };
  let calls = 0;
  const numbers = new WeakMap<ModelAsk, number>();
  const tell = (ask: ModelAsk, live: string, data: NewEntry["data"]): void => {
    if (writer() === undefined) return;
    const turn_id = turnOf(ask);
    ledger.live({ live, member, ...turn_id === undefined ? {} : { turn_id }, data: { call: numbers.get(ask) ?? 0, ...data } });
  };
  return {
    began: (ask) => say(ask, "run_started", {}),
    asks: async (ask) => {
      await budgets.checkModel(member, turnOf(ask), ask.model);
      numbers.set(ask, calls += 1);
      tell(ask, "phase", { phase: "generating" });
    },
    said: (ask, delta) => {
      if (delta === undefined) tell(ask, "phase", { phase: "generating" });
      else if (delta.type !== "tool_input") tell(ask, delta.type === "text" ? "text" : "reasoning", { index: delta.index, text: delta.text });
    },
    answered: (ask, answer) => {
      const { provider, model } = ask;
      tell(ask, "phase", { phase: answer.stop_reason === "tool_use" ? "tool" : "waiting" });
      return say(ask, "turn_completed", { provider, model, stop_reason: answer.stop_reason, usage: usageOfCall(answer, priceOf(prices(), model)) });
    },
    ended: (ask, { ok, stopped_by, num_turns, error = "", error_code = "runtime.failed" }) => ok
      ? say(ask, "run_completed", { stopped_by, model_calls: num_turns })
      : say(ask, "run_failed", { stopped_by, model_calls: num_turns, error: { code: error_code, text: error.slice(0, ERROR_CHARS) } }),
  };
}

const ERROR_CHARS = 1_024;
