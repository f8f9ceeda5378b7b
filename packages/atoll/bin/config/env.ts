/** What the environment says: settings by name, and the variables that mean nothing. Pure. */
import { nearest, type Problem, type Setting } from "@atoll-run/core";
import { type Env, envSetting } from "../../src/compose/settings.ts";
import { SECTIONS, variableOf } from "./deployment-keys.ts";
import { COMMANDS } from "../program/table.ts";

/** Settings whose empty text is a value of its own. */
const MAY_BE_EMPTY = new Set(["PROMPT", "CONTEXT"]);
/** Set by Atoll itself, used by tests, or read by tiers that come later. */
const OTHERS = ["TASK_ID", "CHILD_OF", "ENGINE"];

export interface EnvReading {
  /** By the name without prefix: `BUS_CAPACITY`. */
  readonly settings: ReadonlyMap<string, Setting>;
  /** `ATOLL_*` variables that nobody reads. */
  readonly unknown: readonly Problem[];
}

/** `ATOLL_X` wins over `AGENT_BLOCK_X`. */
export function readEnv(env: Env): EnvReading {
  const settings = new Map<string, Setting>();
  for (const key of [...settingNames(), ...OTHERS]) {
    const found = envSetting(env, key, { keepEmpty: MAY_BE_EMPTY.has(key) });
    if (found !== undefined) settings.set(key, { where: { name: found.name }, text: found.text });
  }
  return { settings, unknown: unknownNames(env) };
}

function settingNames(): Set<string> {
  const flags = COMMANDS
    .flatMap(({ flags: all }) => all.flatMap(({ setting }) => (setting === undefined ? [] : [setting])));
  const variables = COMMANDS
    .flatMap((command) => (command.variables ?? []).filter(({ bare }) => bare !== true));
  const keys = Object.entries(SECTIONS).flatMap(([section, names]) => Object.keys(names).map((key) => variableOf(section, key)));
  return new Set([...flags, ...variables.map(({ name }) => name), ...keys]);
}

function unknownNames(env: Env): Problem[] {
  const known = new Set([...settingNames(), ...OTHERS]);
  const names = Object.keys(env).filter((name) => name.startsWith("ATOLL_"))
    .map((name) => name.slice("ATOLL_".length));
  return names.filter((name) => !known.has(name) && !name.startsWith("TEST_")).map((name) => {
    const near = nearest(name, [...known]);
    return {
      where: { name: `ATOLL_${name}` }, problem: "there is no such setting",
      ...(near === undefined ? {} : { hint: `did you mean ATOLL_${near}?` }),
    };
  });
}
