/**
 * What a host hears of runs of agents and calls of models, and where it may refuse them: accounts, budgets.
 *
 * Each function but `said` is waited for. What `began`, `asks` or `answered` throws ends the run with that error; nothing is asked of a
 * model then.
 */
import type { Json } from "@atoll-run/core";
import type { Delta, ModelUsage, StopReason } from "./model-port.ts";
import type { Models } from "./models.ts";

/** Who asks. `about`: what the host says of the message whose handler it is. */
export interface AgentAsk {
  readonly about?: { readonly [key: string]: Json };
  readonly signal: AbortSignal;
}

export interface ModelAsk extends AgentAsk {
  readonly provider: string;
  readonly model: string;
}

export interface ModelAnswer {
  readonly usage: ModelUsage;
  readonly stop_reason: StopReason;
}

export interface AgentEnd {
  readonly ok: boolean;
  readonly stopped_by: string;
  /** Calls of models that were answered. */
  readonly num_turns: number;
  readonly error?: string;
  readonly error_code?: string;
}

/** @example startBlock({ …, agentWatch: { asks: async ({ model }) => { if (spent()) throw new Error(`no more ${model}`); } } }) */
export interface AgentWatch {
  /** A run of `agent.run` begins. */
  began?(ask: AgentAsk): Promise<void>;
  /** A model is about to be asked: by a run, by one of its MCP servers, or by a block of the standard library. */
  asks?(ask: ModelAsk): Promise<void>;
  /**
   * A piece of its answer, as it comes; undefined: the call is tried again, and they begin anew. Where this is given, answers are asked for as a
   * stream. `ask` is the same for all of one call. Not waited for; must not throw.
   */
  said?(ask: ModelAsk, delta: Delta | undefined): void;
  /** It has answered; a failed call is not told. */
  answered?(ask: ModelAsk, answer: ModelAnswer): Promise<void>;
  /** That run is over; one that waits for a decision is not. */
  ended?(ask: AgentAsk, end: AgentEnd): Promise<void>;
}

/** The same models, with their calls told. */
export function watched(models: Models, watch: AgentWatch | undefined, ask: AgentAsk): Models {
  if (watch === undefined) return models;
  return (choice) => {
    const port = models(choice);
    const { provider, model } = port;
    return {
      provider, model,
      call: async (request, o) => {
        const asked: ModelAsk = { ...ask, provider, model, signal: o.signal };
        await watch.asks?.(asked);
        const said = watch.said?.bind(watch);
        const reply = await port.call(request, said === undefined ? o : { ...o, overhears: (delta) => said(asked, delta) });
        await watch.answered?.(asked, { usage: reply.usage, stop_reason: reply.stop });
        return reply;
      },
    };
  };
}
