/** What a member leaves behind, taken away (spec: mob 11.5 `members/delete`). */
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import type { StateOp, StateStore } from "@atoll-run/core";
import { memberScope } from "../ids.ts";

/** Its own values, and what makes its sessions readable. */
const SPACES = ["kv:member", "session"] as const;
const PAGE = 256;

/** Its documents, its dead letters, and its databases below `dir`; what the ledger tells of it stays as long as other entries. May be done again. */
export async function eraseMember(
  { store, dir, now }: { readonly store: StateStore; readonly dir: string | null; readonly now: () => number }, member: string,
): Promise<void> {
  const scope = memberScope(member);
  const commit = async (ops: readonly StateOp[]): Promise<void> => {
    if (ops.length > 0) await store.commit({ scope, epoch: null, at_ms: now(), ops });
  };
  for (const space of SPACES) {
    for (let keys: readonly string[] = [""]; keys.length > 0;) {
      keys = await store.keys(scope, space, { prefix: "", after: null, limit: PAGE });
      await commit(keys.map((key) => ({ op: "put", space, key, value: null, if_version: null })));
    }
  }
  for (let letters: readonly { readonly seq: number }[] = [{ seq: 0 }]; letters.length > 0;) {
    letters = await store.letters(scope, { after: 0, limit: PAGE });
    await commit(letters.map(({ seq }) => ({ op: "purge", seq })));
  }
  if (dir !== null) await rm(resolve(dir, "members", scope), { recursive: true, force: true });
}
