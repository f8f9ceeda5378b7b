/** What the handler of an event may do on behalf of who sent it, when a node delivered it (spec: node 9.3). */
import type { Json, Mesh } from "@atoll-run/core";

/** Records; all of it is done in the one commit that finishes the message, or nothing. Values are JSON text. */
export interface EventTx {
  set(space: string, key: string, value: string): void;
  delete(space: string, key: string): void;
  tell(to: string, route: string, payload: string): void;
  /** What is committed, with what was recorded here. Null: nothing there. */
  get(space: string, key: string): Promise<string | null>;
}

export interface EventOrigin {
  readonly tx: EventTx;
  /** What the host of the node says of the message: as in `meta` of the event. */
  readonly about?: { readonly [key: string]: Json };
  /** Instead of that of the block's own mesh: inside the sender's budget, chain and trace. */
  readonly request?: Mesh["request"];
}
