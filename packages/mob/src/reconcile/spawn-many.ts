/** Several members at once (spec: mob 3.6): one answer for each spec, in order. */
import type { MemberSpec } from "../definition/definition.ts";
import { mobError, toFailure, type Failure } from "../errors.ts";
import type { MemberHost, SpawnOptions } from "../member/host.ts";
import type { MemberRow } from "../member/row.ts";
import { eachOf } from "../bounded.ts";

export type SpawnResult =
  | { readonly id: string; readonly ok: true; readonly row: MemberRow }
  | { readonly id: string; readonly ok: false; readonly error: Failure };

export interface SpawnManyOptions extends SpawnOptions {
  /** `rollback`: if one fails, none stays; those that were spawned are retired again. */
  readonly onFailure: "continue" | "rollback";
  readonly atOnce: number;
}

export async function spawnMany(
  host: Pick<MemberHost, "spawn" | "retire">, specs: readonly MemberSpec[], o: SpawnManyOptions,
): Promise<readonly SpawnResult[]> {
  const results: SpawnResult[] = [];
  let failed = false;
  await eachOf([...specs.entries()], o.atOnce, async ([at, spec]) => {
    const { id } = spec;
    if (failed && o.onFailure === "rollback") return void (results[at] = undone(id));
    try {
      results[at] = { id, ok: true, row: await host.spawn(spec, o) };
    } catch (error) {
      failed = true;
      results[at] = { id, ok: false, error: toFailure(error) };
    }
  });
  if (!failed || o.onFailure === "continue") return results;
  await eachOf([...results.entries()], o.atOnce, async ([at, result]) => {
    if (!result.ok) return;
    try {
      await host.retire(result.id, { principal: o.principal, drainMs: 0 });
      results[at] = undone(result.id);
    } catch (error) {
      results[at] = { id: result.id, ok: false, error: toFailure(error) };
    }
  });
  return results;
}

function undone(id: string): SpawnResult {
  return { id, ok: false, error: toFailure(mobError("mob.conflict", `${id} was not kept: another one failed`, { facts: { what: "rollback" } })) };
}
