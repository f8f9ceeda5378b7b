/** Mailbox and dead letters of a node that is not running: its store, under the lock of its folder. */
import { judge, type Rule } from "@atoll-run/core/internal";
import { createDeadLetterAdmin, createMailboxAdmin } from "@atoll-run/node/internal";
import { openState } from "@atoll-run/sqlite";
import type { AdminTarget } from "../control/admin-methods.ts";
import { systemClock } from "./clock.ts";

export interface OfflineOptions {
  readonly dir: string;
  /** Local name of the node. */
  readonly node: string;
  /** Who may hand in again what it had handed in. */
  readonly rules: readonly Rule[];
  /** Number of the node's realm. */
  readonly realm: number;
}

/** Throws faults of the store: `state.locked` while the node runs. */
export async function openOfflineAdmin({ dir, node, rules, realm }: OfflineOptions): Promise<AdminTarget & AsyncDisposable> {
  const store = await openState({ dir });
  const now = (): number => systemClock.now();
  return {
    mailbox: createMailboxAdmin({ store, scope: node, now }),
    deadLetters: createDeadLetterAdmin({
      store, scope: node, clock: systemClock, now, epoch: () => null,
      mayDo: (principal, kind, name) => judge(rules, { principal, realm }, { kind, name }).allowed,
    }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
