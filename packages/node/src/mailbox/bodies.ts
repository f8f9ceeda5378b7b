/** Bodies of messages that wait: some stay in memory, the others are on the disk until their turn (spec: node 4.10). */
import { nodeError, type StateStore } from "@atoll-run/core";
import { readEnvelope } from "@atoll-run/core/internal";
import type { Message } from "./message.ts";

export class Bodies {
  readonly #store: StateStore;
  readonly #scope: string;
  readonly #max: number;
  #kept = 0;

  constructor({ store, scope }: { readonly store: StateStore; readonly scope: string }, max: number) {
    this.#store = store;
    this.#scope = scope;
    this.#max = max;
  }

  /** Its body, from the disk when it is not here; false when it is gone. Throws `node.decode_failure`. */
  async load(message: Message): Promise<boolean> {
    const row = message.row === undefined || message.body !== undefined ? undefined
      : await this.#store.mail(this.#scope, message.row.seq);
    message.body ??= row?.body ?? message.arrivals[0]?.bytes;
    if (message.body === undefined) return false;
    if (message.envelope === undefined) {
      const read = readEnvelope(message.body, Infinity);
      if (!read.ok) throw nodeError("node.decode_failure", "the stored message cannot be read", { cause: read.fault });
      message.envelope = read.value;
    }
    return true;
  }

  /** It waits and is stored: its body stays here while there is room. */
  keep(message: Message): void {
    if (message.phase !== "waiting" || message.resident || message.body === undefined) return;
    if (this.#kept < this.#max) {
      message.resident = true;
      this.#kept += 1;
    } else if (message.row?.stored === "free") message.dropBody();
  }

  /** It runs, or is over. */
  release(message: Message): void {
    if (!message.resident) return;
    message.resident = false;
    this.#kept -= 1;
  }
}
