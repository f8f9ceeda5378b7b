/**
 * A mob with everything it needs on this machine: its folder, its store, blocks with their own stores.
 * takes a definition and where the state lies; gives a mob that runs; promises that all it opened is let go of last; refuses a
 * folder in use; never keeps state in memory unless it is told to.
 */
import { mkdirSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { BlockConfig, ChildWatch, IslePool } from "@atoll-run/block";
import { isFault, memoryBlobs, must, type BlobStore } from "@atoll-run/core";
import { mobError, startFailed, startMob, type LinkedFactory, type MobDefinition, type MobHooks, type MobParts, type MobRooms } from "@atoll-run/mob";
import { OUTSIDE_NODE } from "@atoll-run/mob/internal";
import type { StepWatch } from "@atoll-run/node";
import { BLOBS_DIR, openBlobFolder } from "./blob-folder.ts";
import { builtinScript } from "./builtin.ts";
import { toParts, type NodeConfig } from "./create-node.ts";
import { toHandle, type MobHandle } from "./mob-handle.ts";
import { loadMob } from "./load-mob.ts";
import { ADDRESS_FILE, REPORT_FILE, TOKEN_FILE } from "./mob-address.ts";
import { serveMob, type ServedMob, type ServeMobOptions } from "./mob-http.ts";
import { openPlace, type Place, type PlaceOptions } from "./place.ts";
import { createPool } from "./pool.ts";
import { endPretenuring } from "./pretenuring.ts";
import { startBlock, type StartedBlock } from "./run-block.ts";
import { homeOf } from "./settings.ts";

/** Between two tries to open its file anew when the disk has failed. */
const REOPEN_MS = 1_000;

/** Of its own node, as of any other: without a realm it has none, and without rules nobody comes in. */
type OwnNode = Pick<NodeConfig, "realm" | "listen" | "acl" | "plain" | "bearer" | "ca" | "onLost">;

export interface MobConfig extends Omit<PlaceOptions, "dir" | "memory">, OwnNode {
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
  /** Ends the commands of its members when this process is killed; default: they go on then. */
  readonly childWatch?: ChildWatch;
  /** Code of this process at points of its life. */
  readonly hooks?: MobHooks;
  /** What else would only make it `degraded` ends its start: a broken member, a pass that cannot be made. */
  readonly strict?: boolean;
  /** Over HTTP from the end of its start to the end of its members; `dir` is the folder of its state. Default: not; {@link serveMob} does it later. */
  readonly http?: Omit<ServeMobOptions, "env"> | false;
  /** How long turns that run may take to end when it closes, milliseconds; default 30,000. */
  readonly drainTimeoutMs?: number;
  /** Ends the start, between two of its stages. */
  readonly signal?: AbortSignal;
  /** Hears each stage of the start, for progress; what it throws fails it. */
  readonly stages?: StepWatch;
}

export const Mob = {
  /**
   * Resolves once the mob accepts work. Throws `mob.already_running` for a folder in use, naming its holder, `mob.invalid_params`
   * without a place for the state, `mob.start_failed` with `{stage, rollback}`; nothing is left open then.
   * @example await using mob = await Mob.start({ definition, stateDir: ".atoll/audit", linked: { editor } });
   */
  async start(config: MobConfig): Promise<MobHandle> {
    const { http: door = false, env, stateDir } = config;
    let http: ServedMob | undefined;
    const rooms = await openRooms(config, async (made) => {
      if (door !== false) http = await serveMob({ rooms: made }, { ...stateDir === undefined ? {} : { dir: stateDir }, ...door, ...env === undefined ? {} : { env } });
    });
    return toHandle(rooms, { http, env });
  },
};

/** The same, as its rooms. `serve` opens a way to it, the last thing of the start. */
export async function openRooms(config: MobConfig, serve?: MobParts["serve"]): Promise<MobRooms> {
  checkLinked(config);
  checkOutside(config);
  endPretenuring();
  const place = await openStateOf(config);
  const { key: _, close: closePlace, durability: __, ...parts } = place;
  const blobStore = await openBlobs(place, config);
  const { definition, linked = {}, variables = {}, hooks, strict, drainTimeoutMs, signal, stages } = config;
  const root = config.root ?? (definition.source === undefined ? "." : dirname(definition.source));
  // The isles of all scripts share a few threads; a mob without scripts has none.
  let pool: IslePool | undefined;
  const given = { hooks, strict, drainTimeoutMs, signal, stages, serve };
  return await startMob({
    ...parts, blobStore, variables, root: resolve(root), scriptAt: (script) => builtinScript(script) ?? resolve(root, script), linked, ...outsideOf(place, config), ...readerOf(config),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    startBlock: (block) => start(block, { config, pool: pool ??= createPool({ home: homeOf(variables) }) }),
    release: async (destroyed) => {
      await pool?.close();
      if (config.env?.blobs === undefined) await blobStore[Symbol.asyncDispose]();
      await closePlace();
      if (destroyed && place.dir !== null) await removeState(place.dir);
    },
  }, definition);
}

function checkOutside(o: MobConfig): void {
  const without = o.realm === undefined ? (["listen", "acl"] as const).find((name) => o[name] !== undefined) : undefined;
  if (without !== undefined) throw mobError("mob.invalid_params", `${without} is for the node of a mob, and without a realm it has none`, { facts: { path: without } });
}

function outsideOf(place: Place, o: MobConfig): Pick<MobParts, "outside"> {
  if (o.realm === undefined) return {};
  const network: NonNullable<MobParts["outside"]>["network"] = (store) =>
    must(toParts({ ...place, store }, { ...o, name: OUTSIDE_NODE }).network, "a node with a realm has a network");
  return { outside: { network, ...o.acl === undefined ? {} : { rules: o.acl } } };
}

/** What was a file is read again when it is asked for. */
function readerOf(config: MobConfig): Pick<MobParts, "readDefinition"> {
  const { source } = config.definition;
  if (source === undefined) return {};
  return { readDefinition: async () => {
    const definition = await loadMob(source);
    checkLinked({ ...config, definition });
    return definition;
  } };
}

/** A file can name code that only a program can bring. Throws `mob.definition_invalid`, with all of it. */
function checkLinked({ definition: { profiles }, linked = {} }: MobConfig): void {
  const missing = Object.entries(profiles).flatMap(([name, { runs }]) =>
    "linked" in runs && !Object.hasOwn(linked, runs.linked) ? [{ path: `profiles.${name}.linked`, text: `nothing is linked as ${runs.linked}` }] : []);
  if (missing.length === 0) return;
  throw mobError("mob.definition_invalid", missing.map(({ path, text }) => `${path}: ${text}`).join("\n"), {
    facts: { problems: missing }, hint: "A program links it: Mob.start({ linked: { … } }). A mob of atoll mob up has scripts alone.",
  });
}

async function openStateOf({ stateDir, ephemeral = false, definition, ...rest }: MobConfig): Promise<Place> {
  if ((stateDir !== undefined) === ephemeral && rest.env?.store === undefined) {
    throw mobError("mob.invalid_params", "a mob has one of stateDir and ephemeral: true", {
      facts: { path: "stateDir" }, hint: "Name a folder for its state; what is ephemeral is lost with the process.",
    });
  }
  try {
    return await openPlace({ ...rest, memory: ephemeral, ...stateDir === undefined ? {} : { dir: stateDir } }, { reopenMs: REOPEN_MS });
  } catch (error) {
    if (isFault(error) && error.code === "node.locked") {
      throw mobError("mob.already_running", `the mob ${definition.mob.id} runs already: ${error.message}`, {
        cause: error, facts: error.facts, hint: "Ask that one (atoll mob status), end it (atoll mob down), or give this one a folder of its own for its state.",
      });
    }
    const refused = isFault(error) && error.code === "node.unavailable"
      ? mobError("mob.storage_degraded", error.message, { cause: error, facts: error.facts, retry: error.retry, hint: `Look at the disk. What can still be read of it: atoll mob verify --state ${stateDir ?? ""}` })
      : error;
    throw startFailed(definition.mob.id, refused, { stage: "stores", rollback: [] });
  }
}

/** The place is held: what an earlier process had begun to write is nobody's. */
async function openBlobs({ dir, close }: Place, { env, definition, stateDir }: MobConfig): Promise<BlobStore> {
  if (env?.blobs !== undefined) return env.blobs;
  if (dir === null) return memoryBlobs();
  try {
    return await openBlobFolder(join(dir, BLOBS_DIR));
  } catch (error) {
    await close();
    throw startFailed(definition.mob.id, mobError("mob.storage_degraded", (error as Error).message, {
      cause: error, hint: `Look at the disk: ${join(stateDir ?? "", BLOBS_DIR)}.`,
    }), { stage: "stores", rollback: [] });
  }
}

/** What a mob keeps, and the folder when nothing else is in it: a person may have put something there. */
async function removeState(dir: string): Promise<void> {
  const own = ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "lock", "lock-journal", "members", "keys", BLOBS_DIR, TOKEN_FILE, ADDRESS_FILE, REPORT_FILE];
  await Promise.all(own.map((name) => rm(join(dir, name), { recursive: true, force: true })));
  await rmdir(dir).catch(() => undefined);
}

function start(block: BlockConfig, { config: { variables = {}, childWatch }, pool }: { readonly config: MobConfig; readonly pool: IslePool }): StartedBlock {
  const { kvPath } = block;
  if (kvPath !== undefined && kvPath !== ":memory:") mkdirSync(dirname(kvPath), { recursive: true });
  return startBlock({ ...block, env: variables, pool, ...childWatch === undefined ? {} : { parts: { childWatch } } });
}
