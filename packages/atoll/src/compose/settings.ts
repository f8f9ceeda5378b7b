/**
 * Settings that a block takes from its environment (spec: block 3). Every setting `_X` is read from
 * `ATOLL_X`, then from `AGENT_BLOCK_X`.
 */
import { join } from "node:path";
import { readNumber } from "@atoll-run/core";
import { blockError } from "@atoll-run/block";

export type Env = Readonly<Record<string, string | undefined>>;

const PREFIXES = ["ATOLL_", "AGENT_BLOCK_"] as const;

/** A setting and the variable it was found in. */
export interface EnvSetting {
  readonly name: string;
  readonly text: string;
}

/** `envSetting(env, "SQL_PATH")`. An empty text counts as not given, but where it is kept on purpose. */
export function envSetting(env: Env, key: string, o: { keepEmpty?: boolean } = {}): EnvSetting | undefined {
  for (const prefix of PREFIXES) {
    const text = env[prefix + key];
    if (text !== undefined && (text !== "" || o.keepEmpty === true)) return { name: prefix + key, text };
  }
  return undefined;
}

/** The folder of a user's stores and caches; undefined when neither home is set. */
export function homeOf(env: Env): string | undefined {
  const own = envSetting(env, "HOME")?.text;
  if (own !== undefined) return own;
  const home = env["HOME"];
  return home === undefined || home === "" ? undefined : join(home, ".atoll");
}

/** Path of a store: the setting, else the file in the home. Throws `config.invalid` when neither is there. */
export function storePath(env: Env, key: "KV_PATH" | "SQL_PATH" | "TS_PATH", file: string): string {
  const path = envSetting(env, key)?.text;
  if (path !== undefined) return path;
  const home = homeOf(env);
  if (home !== undefined) return join(home, file);
  throw blockError("config.invalid", "config error: HOME env var not set", {
    hint: `Set ATOLL_HOME or HOME to a folder, or ATOLL_${key} to a file.`,
  });
}

/** A whole number from 0; what is none counts as not given. */
export function countSetting(env: Env, key: string, fallback: number): number {
  const found = envSetting(env, key);
  const reading = found === undefined ? undefined : readNumber(found.text, { min: 0 });
  return reading?.ok === true ? reading.value : fallback;
}
