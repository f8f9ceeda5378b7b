/** Port through which a block speaks with peers. */
import type { Json } from "../json.ts";

export interface CallOpts {
  /** Milliseconds that are left for the call. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface Mesh {
  readonly id: string;
  request(to: string, payload: Json, o: CallOpts): Promise<Json>;
  serve(fn: (from: string, payload: Json, o: CallOpts) => Promise<Json>): Disposable;
}
