/**
 * What programs keep with a mob: values under keys, each with a revision (spec: mob 6.5).
 *
 * takes keys and values; gives them back; promises that a value set with `expected` replaces just that revision; refuses one that has
 * moved on (`mob.conflict`), and what is too much; never knows what they mean.
 */
import { stringifyJson, type Json } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { MOB_SCOPE } from "../ledger/names.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";

export interface Meta {
  readonly key: string;
  /** Null: there is none. */
  readonly value: Json | null;
  /** Rises with each change; 0 = there is none. */
  readonly revision: number;
}

export interface MetaParts {
  readonly ledger: Pick<Ledger, "store">;
  /** Of the mob. */
  readonly writer: Writer;
  readonly now: () => number;
  readonly limits: Pick<MobLimits, "metaBytesMax" | "metaKeysMax">;
}

const SPACE = "meta";

export async function getMeta({ ledger }: Pick<MetaParts, "ledger">, key: string): Promise<Meta> {
  const found = await ledger.store.get(MOB_SCOPE, SPACE, key);
  return found === undefined ? { key, value: null, revision: 0 } : { key, value: JSON.parse(found.value) as Json, revision: found.version };
}

/** Null takes it away. Throws `mob.conflict` (facts `{expected, actual}`), `mob.too_large`, `mob.overloaded`, `mob.stale_fence`. */
export async function setMeta({ ledger: { store }, writer, now, limits }: MetaParts, { key, value, expected }: {
  readonly key: string; readonly value: Json | null; readonly expected?: number | undefined;
}): Promise<Meta> {
  const text = value === null ? null : written(value, limits.metaBytesMax);
  if (text !== null && await store.get(MOB_SCOPE, SPACE, key) === undefined) await checkRoom(store, limits.metaKeysMax);
  const commit = await store.commit({
    ...writer, at_ms: now(), ops: [{ op: "put", space: SPACE, key, value: text, if_version: expected ?? null }],
  });
  if (commit.ok) return { key, value, revision: commit.values[0] ?? 0 };
  const { refusal } = commit;
  if (refusal.why !== "moved") throw mobError("mob.stale_fence", "another process is the mob now", { facts: { scope: writer.scope } });
  throw mobError("mob.conflict", `${key} has revision ${refusal.version}, not ${expected ?? 0}`, {
    facts: { what: "revision", key, expected: expected ?? 0, actual: refusal.version }, hint: "Read it again.",
  });
}

function written(value: Json, bytesMax: number): string {
  const made = stringifyJson(value);
  const size = made.ok ? Buffer.byteLength(made.text) : Infinity;
  if (made.ok && size <= bytesMax) return made.text;
  throw mobError("mob.too_large", `the value has more than ${bytesMax} bytes`, { facts: { size, limit: bytesMax } });
}

async function checkRoom(store: MetaParts["ledger"]["store"], keysMax: number): Promise<void> {
  const keys = await store.keys(MOB_SCOPE, SPACE, { prefix: "", after: null, limit: keysMax });
  if (keys.length >= keysMax) throw mobError("mob.overloaded", `there are ${keysMax} keys already`, { facts: { limit: keysMax }, retry: "never", hint: "Take some away." });
}
