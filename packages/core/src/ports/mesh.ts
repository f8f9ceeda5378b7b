/**
 * Port through which a block speaks with peers. Payloads and replies tell floats from integers: a whole float is
 * given and taken as `LuaFloat`, which `stringifyJson` writes as one and `parseJson` reads with `floats`.
 */
import type { Json } from "../json.ts";

export interface CallOpts {
  /** Milliseconds that are left for the call. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** W3C trace of the span that asks, where the asker has one. */
  readonly traceparent?: string;
}

export interface Mesh {
  readonly id: string;
  request(to: string, payload: Json, o: CallOpts): Promise<Json>;
  serve(fn: (from: string, payload: Json, o: CallOpts) => Promise<Json>): Disposable;
}
