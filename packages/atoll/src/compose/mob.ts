/**
 * A mob with everything it needs on this machine: its folder, its store, blocks with their own stores.
 * takes a definition and where the state lies; gives a mob that runs; promises that all it opened is let go of last; refuses a
 * folder in use; never keeps state in memory unless it is told to.
 */
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { BlockConfig } from "@atoll-run/block";
import { openMob as assembleMob, type LinkedFactory, type Mob, type MobDefinition } from "@atoll-run/mob";
import { openPlace, type PlaceOptions } from "./place.ts";
import { startBlock, type StartedBlock } from "./run-block.ts";

export interface MobConfig extends PlaceOptions {
  readonly definition: MobDefinition;
  /** TypeScript of this process, by the name that profiles have for it. */
  readonly linked?: Readonly<Record<string, LinkedFactory>>;
  /** Where scripts are looked for; default: the working folder. */
  readonly root?: string;
  /** The whole environment of its blocks; default: empty. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** Throws `node.locked` for a folder in use, `mob.start_failed`. */
export async function openMob(o: MobConfig): Promise<Mob> {
  const place = await openPlace(o);
  const { key: _, close: closePlace, durability: __, ...parts } = place;
  const { definition, linked = {}, root = ".", variables = {} } = o;
  try {
    const mob = await assembleMob({
      ...parts, root: resolve(root), linked, startBlock: (config) => start(config, variables),
    }, definition);
    const close = async (how?: Parameters<Mob["close"]>[0]): Promise<void> => {
      await mob.close(how);
      await closePlace();
    };
    let closing: Promise<void> | undefined;
    return { ...mob, close: (how) => closing ??= close(how), [Symbol.asyncDispose]: () => closing ??= close() };
  } catch (error) {
    await closePlace();
    throw error;
  }
}

function start(config: BlockConfig, variables: Readonly<Record<string, string>>): StartedBlock {
  const { kvPath } = config;
  if (kvPath !== undefined && kvPath !== ":memory:") mkdirSync(dirname(kvPath), { recursive: true });
  return startBlock({ ...config, env: variables });
}
