/**
 * The deployment: `atoll.toml`, overlaid by variables and flags. Gives a frozen, complete object, or all problems at
 * once with the line of each. Pure: takes texts.
 */
import {
  decide, type Decided, type Decision, nearest, type Reading, readChoice, readFlag, readNumber, readPath, type Setting, type Where,
} from "@atoll-run/core";
import { type Rule, ruleProblems } from "@atoll-run/core/internal";
import { type ActrReading, readActrToml } from "./actr-toml.ts";
import {
  IDLE_KEYS, IDLE_SECTIONS, type Key, OTHER_SECTIONS, ROUTE_KEYS, RULE_KEYS, SECTIONS, type Values,
} from "./deployment-keys.ts";
import { LIMIT_ROOMS, limitKeys, type LimitsSet, toLimits } from "./limit-keys.ts";
import { readToml, type TomlFile } from "./file.ts";
import { readDuration, readSize } from "./units.ts";

type Sections = typeof SECTIONS;
export type RouteSettings = Values<typeof ROUTE_KEYS>;

export type Deployment = { readonly [S in keyof Sections]: Values<Sections[S]> } & {
  readonly routes: Readonly<Record<string, RouteSettings>>;
  readonly limits: LimitsSet;
  readonly rules: readonly Rule[];
};

export interface DeploymentSources {
  /** Text of the file and where it stands. */
  readonly file: { readonly text: string; readonly where: Where } | undefined;
  /** By `section.key`: flags before variables. */
  readonly overlay: ReadonlyMap<string, Setting>;
}

type Table = Readonly<Record<string, unknown>>;

/** Files of this name are read as Actr's. */
const ACTR_FILE = /(^|[/\\])actr\.toml$/i;

export function decideDeployment({ file, overlay }: DeploymentSources): Decided<Deployment> {
  return decide((d) => {
    const toml = file === undefined ? undefined : read(file);
    if (toml !== undefined && !toml.ok) d.problems.push(...toml.problems);
    d.warnings.push(...toml?.warnings ?? []);
    const source: Source = { d, toml: toml?.ok === true ? toml : undefined, overlay };
    const { routes, acl, limits, ...rest } = tablesOf(source);
    const sections = Object.fromEntries(Object.entries(SECTIONS).map(([name, keys]) => {
      const { rules: _, ...table } = name === "acl" ? acl ?? {} : rest[name] ?? {};
      return [name, readTable(source, { path: [name], keys, table })];
    })) as unknown as { readonly [S in keyof Sections]: Values<Sections[S]> };
    const routeTables = Object.entries(routes ?? {}).map(([route, table]) =>
      [route, readTable(source, { path: ["routes", route], keys: ROUTE_KEYS, table: asTable(table) })] as const);
    return {
      ...sections, routes: Object.fromEntries(routeTables) as Record<string, RouteSettings>, limits: readLimits(source, limits),
      rules: readRules(source, acl?.["rules"]),
    };
  });
}

function read({ text, where }: NonNullable<DeploymentSources["file"]>): ActrReading {
  return ACTR_FILE.test(where.file ?? "") ? readActrToml(text, where) : { ...readToml(text, where), warnings: [] };
}

const IDLE = "this version does nothing with it";

interface Source {
  readonly d: Decision;
  readonly toml: TomlFile | undefined;
  readonly overlay: ReadonlyMap<string, Setting>;
}

/** Every known section as a table; unknown ones are refused. */
function tablesOf({ d, toml }: Source): Readonly<Record<string, Table | undefined>> {
  const known = [...Object.keys(SECTIONS), "routes", "limits", ...OTHER_SECTIONS];
  for (const [name, value] of Object.entries(toml?.value ?? {})) {
    const where = toml?.whereOf([name]) ?? { name };
    if (!known.includes(name)) {
      const near = nearest(name, known);
      d.refuse(where, "there is no such section", near === undefined ? undefined : `did you mean [${near}]?`);
    } else if (!isTable(value)) d.refuse(where, `is a section: write [${name}]`);
    else if (IDLE_SECTIONS.includes(name)) d.warn(where, IDLE);
  }
  return Object.fromEntries(Object.entries(toml?.value ?? {}).map(([name, value]) => [name, asTable(value)]));
}

interface TableAt {
  readonly path: readonly string[];
  readonly keys: Readonly<Record<string, Key>>;
  readonly table: Table;
}

function readTable(source: Source, { path, keys, table }: TableAt): Readonly<Record<string, unknown>> {
  const { d, toml, overlay } = source;
  for (const name of Object.keys(table)) {
    if (Object.hasOwn(keys, name)) continue;
    const near = nearest(name, Object.keys(keys));
    const where = toml?.whereOf([...path, name]) ?? { name };
    d.refuse(where, "there is no such key", near === undefined ? undefined : `did you mean ${near}?`);
  }
  return Object.fromEntries(Object.entries(keys).map(([name, key]) => {
    const fallback = "default" in key ? key.default : undefined;
    const over = overlay.get([...path, name].join("."));
    if (over !== undefined) return [name, d.take(over, (text) => readText(text, key), fallback)];
    const given = table[name];
    if (given === undefined) return [name, fallback];
    const full = [...path, name].join(".");
    if (IDLE_KEYS.includes(full)) d.warn(toml?.whereOf([...path, name]) ?? { name: full }, IDLE);
    const reading = readValue(given, key);
    if (reading.ok) return [name, reading.value];
    d.refuse(toml?.whereOf([...path, name]) ?? { name }, reading.problem);
    return [name, fallback];
  }));
}

/** A value of the file: its type must be that of the key. */
function readValue(value: unknown, key: Key): Reading<unknown> {
  const shown = JSON.stringify(value);
  switch (key.is) {
    case "flag": return typeof value === "boolean" ? { ok: true, value } : { ok: false, problem: `${shown} is neither true nor false` };
    case "count":
    case "number":
      return typeof value === "number" ? readText(String(value), key) : { ok: false, problem: `${shown} is not a number` };
    case "texts":
      return Array.isArray(value) && value.every((item) => typeof item === "string") ? readTexts(value, key)
        : { ok: false, problem: `${shown} is not a list of texts` };
    default: return typeof value === "string" ? readText(value, key) : { ok: false, problem: `${shown} is not text` };
  }
}

function readText(text: string, key: Key): Reading<unknown> {
  switch (key.is) {
    case "text": return text === "" ? { ok: false, problem: "is empty" } : { ok: true, value: text };
    case "path": return readPath(text);
    case "duration": return readDuration(text);
    case "size": return readSize(text);
    case "count": return readNumber(text, { min: key.min ?? 0, max: key.max ?? Number.MAX_SAFE_INTEGER });
    case "number": return readNumber(text, { ...key, fraction: true });
    case "flag": return readFlag(text);
    case "choice": return readChoice(text, key.choices);
    case "texts": return readTexts(text.split(",").map((item) => item.trim()).filter((item) => item !== ""), key);
  }
}

function readTexts(items: readonly string[], key: Key): Reading<readonly string[]> {
  const choices = "choices" in key ? key.choices : undefined;
  const odd = choices === undefined ? undefined : items.find((item) => !choices.includes(item));
  return odd === undefined ? { ok: true, value: items } : { ok: false, problem: `'${odd}' is not one of ${choices?.join(", ") ?? ""}` };
}

function readRules(source: Source, given: unknown): readonly Rule[] {
  const { d, toml } = source;
  if (given === undefined) return [];
  if (!Array.isArray(given) || !given.every(isTable)) {
    d.refuse(toml?.whereOf(["acl", "rules"]) ?? { name: "acl.rules" }, "is a list of tables: write [[acl.rules]]");
    return [];
  }
  return given.map((table, index) => {
    const path = ["acl", `rules[${index}]`];
    const { permission, type, realm, node, proof, actions } =
      readTable(source, { path, keys: RULE_KEYS, table }) as Values<typeof RULE_KEYS>;
    const rule: Rule = {
      effect: permission, actions: actions ?? [],
      from: {
        type, realm: realm === "self" || realm === "any" ? realm : Number(realm),
        ...node === undefined ? {} : { node }, ...proof === undefined ? {} : { proof },
      },
    };
    for (const problem of ruleProblems(rule)) d.refuse(toml?.whereOf(path) ?? { name: path.join(".") }, problem);
    return rule;
  });
}

function readLimits(source: Source, given: Table = {}): LimitsSet {
  const { d, toml } = source;
  return Object.fromEntries(Object.entries(given).map(([room, value]) => {
    const where = toml?.whereOf(["limits", room]) ?? { name: `limits.${room}` };
    if (!LIMIT_ROOMS.includes(room)) {
      d.refuse(where, "there is no such group of limits", `one of ${LIMIT_ROOMS.join(", ")}`);
      return [room, {}];
    }
    if (!isTable(value)) d.refuse(where, `is a table: write [limits.${room}]`);
    const table = readTable(source, { path: ["limits", room], keys: limitKeys(room), table: asTable(value) });
    return [room, toLimits(room, table)];
  }));
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asTable(value: unknown): Table {
  return isTable(value) ? value : {};
}
