/**
 * What is told of model calls while they happen: plain data, for logs, dumps and spans. Secrets are masked.
 */
import type { HeaderList } from "../bridges/http/client.ts";
import type { StopReason } from "./model-port.ts";

interface About {
  readonly provider: string;
  readonly model: string;
  /** From 1: model calls of the run. */
  readonly turn: number;
  /** From 0: rounds of tools before this call. */
  readonly iteration: number;
}

export interface Sending extends About {
  readonly url: string;
  /** From 1: a retry is a further request. */
  readonly attempt: number;
}

export type ModelFact =
  | Sending & {
    readonly what: "request"; readonly messages: number; readonly tools: number; readonly max_tokens: number;
    readonly timeout_ms: number; readonly context_management: boolean; readonly headers: HeaderList;
    readonly body: string;
  }
  /** `body` is undefined while it streams. */
  | Sending & {
    readonly what: "response"; readonly status: number; readonly latency_ms: number;
    readonly headers: HeaderList;
    readonly body: string | undefined;
  }
  | About & {
    readonly what: "summary"; readonly stop_reason: StopReason; readonly blocks: number;
    readonly tool_uses: number;
    readonly text_chars: number; readonly usage_in: number; readonly usage_out: number;
    readonly usage_total: number;
    readonly cache_create: number; readonly cache_read: number; readonly context_edits: number;
    readonly latency_ms: number;
  }
  /** The call came to nothing. */
  | About & { readonly what: "failed"; readonly error: string; readonly error_code: string };

/** Contract: returns at once and never throws. */
export type Observe = (fact: ModelFact) => void;
