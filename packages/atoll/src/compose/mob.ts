/**
 * A mob with everything it needs on this machine: its folder, its store, blocks with their own stores.
 * takes a definition and where the state lies; gives a mob that runs; promises that all it opened is let go of last; refuses a
 * folder in use; never keeps state in memory unless it is told to.
 */
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { BlockConfig } from "@atoll-run/block";
import { mobError, startMob, type LinkedFactory, type MobDefinition, type MobHandle } from "@atoll-run/mob";
import { openPlace, type Place, type PlaceOptions } from "./place.ts";
import { startBlock, type StartedBlock } from "./run-block.ts";

export interface MobConfig extends Omit<PlaceOptions, "dir" | "memory"> {
  readonly definition: MobDefinition;
  /** Folder of the state; it is this process's while the mob runs. */
  readonly stateDir?: string;
  /** Instead of `stateDir`: keeps nothing, and what was accepted is lost with the process. */
  readonly ephemeral?: boolean;
  /** TypeScript of this process, by the name that profiles have for it. */
  readonly linked?: Readonly<Record<string, LinkedFactory>>;
  /** Where scripts are looked for; default: the folder of `mob.toml`, for a definition of a program the working folder. */
  readonly root?: string;
  /** The whole environment of its blocks; default: empty. */
  readonly variables?: Readonly<Record<string, string>>;
}

export const Mob = {
  /**
   * Resolves once the mob accepts work. Throws `node.locked` for a folder in use, `mob.invalid_params` without a place for the
   * state, `mob.start_failed`; nothing is left open then.
   * @example await using mob = await Mob.start({ definition, stateDir: ".atoll/audit", linked: { editor } });
   */
  async start(config: MobConfig): Promise<MobHandle> {
    const place = await openStateOf(config);
    const { key: _, close: closePlace, durability: __, ...parts } = place;
    const { definition, linked = {}, variables = {} } = config;
    const root = config.root ?? (definition.source === undefined ? "." : dirname(definition.source));
    try {
      const mob = await startMob({
        ...parts, root: resolve(root), linked, startBlock: (block) => start(block, variables),
      }, definition);
      const close = async (how?: Parameters<MobHandle["close"]>[0]): Promise<void> => {
        await mob.close(how);
        await closePlace();
      };
      let closing: Promise<void> | undefined;
      return { ...mob, close: (how) => closing ??= close(how), [Symbol.asyncDispose]: () => closing ??= close() };
    } catch (error) {
      await closePlace();
      throw error;
    }
  },
};

function openStateOf({ stateDir, ephemeral = false, ...rest }: MobConfig): Promise<Place> {
  if ((stateDir !== undefined) === ephemeral && rest.env?.store === undefined) {
    throw mobError("mob.invalid_params", "a mob has one of stateDir and ephemeral: true", {
      facts: { path: "stateDir" }, hint: "Name a folder for its state; what is ephemeral is lost with the process.",
    });
  }
  return openPlace({ ...rest, memory: ephemeral, ...stateDir === undefined ? {} : { dir: stateDir } });
}

function start(config: BlockConfig, variables: Readonly<Record<string, string>>): StartedBlock {
  const { kvPath } = config;
  if (kvPath !== undefined && kvPath !== ":memory:") mkdirSync(dirname(kvPath), { recursive: true });
  return startBlock({ ...config, env: variables });
}
