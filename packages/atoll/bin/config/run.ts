/**
 * The settings of `atoll run`: flags win over variables. Gives a frozen plan, or all problems at once. Pure.
 */
import {
  type BlockLimits, decide, type Decided, type Decision, type LogFilter, parseLogFilter, readFlag, readNumber,
  type Setting, type TraceContext,
} from "@atoll-run/core";
import { isRestricting, parseGrants } from "@atoll-run/block/internal";
import type { Arguments } from "../program/arguments.ts";
import type { PlacedGrant } from "./file.ts";

export interface TextOrFile {
  readonly text?: string;
  /** A file and the flag that named it. */
  readonly file?: string;
  readonly flag?: string;
}

export interface LogPlan {
  readonly filter: LogFilter;
  readonly format: "pretty" | "json";
  /** `stderr`, `stdout`, `none`, or a file. */
  readonly to: string;
}

export interface RunPlan {
  /** `-` = standard input. */
  readonly script: string;
  readonly project: string;
  readonly args: readonly string[];
  readonly prompt?: TextOrFile;
  readonly context?: TextOrFile;
  readonly mcpTimeoutMs: number;
  readonly grants: "all" | readonly string[];
  /** Names that children may have although everything is granted; undefined = all. */
  readonly secrets: readonly string[] | undefined;
  readonly secretKey?: Setting;
  /** URL of a realm. */
  readonly relay?: string;
  readonly log: LogPlan;
  readonly limits: Partial<BlockLimits>;
  readonly trace: Pick<TraceContext, "trace_id" | "run_id" | "agent_name"> & { readonly agent_id?: string };
  /** A file, or `-` for standard output. */
  readonly result?: string;
}

export interface RunSources {
  readonly given: Arguments;
  readonly settings: ReadonlyMap<string, Setting>;
  /** Grants of `--grants` or its variable, already read. */
  readonly grants: readonly PlacedGrant[];
  /** RUST_LOG. */
  readonly rustLog: string | undefined;
}

export function decideRun(sources: RunSources): Decided<RunPlan> {
  return decide((d) => {
    d.problems.push(...sources.given.problems);
    const s = new Sources(sources);
    const relay = relayOf(d, s);
    const prompt = textOrFile(d, s, "prompt");
    const context = textOrFile(d, s, "context");
    const secretKey = s.either("secret-key", "MESH_SECRET_KEY");
    if (s.flag("secret-key") !== undefined) {
      d.warn({ name: "--secret-key" }, "flags are visible in process lists", "use ATOLL_MESH_SECRET_KEY");
    }
    const result = d.path(s.flag("result"), undefined);
    return {
      script: script(d, sources.given), project: d.path(s.flag("project"), "."), args: sources.given.rest,
      ...(prompt === undefined ? {} : { prompt }), ...(context === undefined ? {} : { context }),
      mcpTimeoutMs: 1_000 * d.number(s.flag("mcp-timeout-secs"), { min: 1, max: 2_147_483 }, 30),
      ...decideGrants(d, s, sources.grants), ...(secretKey === undefined ? {} : { secretKey }), ...(relay === undefined ? {} : { relay }),
      log: decideLog(d, s, sources.rustLog), limits: decideLimits(d, s), trace: trace(d, s),
      ...(result === undefined ? {} : { result }),
      ...checkOthers(d, s),
    };
  });
}

/** Flags, and the variables behind them. */
export class Sources {
  readonly #from: RunSources;

  constructor(from: RunSources) {
    this.#from = from;
  }

  flag(name: string): Setting | undefined {
    return this.#from.given.flags.get(name)?.at(-1);
  }

  all(name: string): readonly Setting[] {
    return this.#from.given.flags.get(name) ?? [];
  }

  setting(key: string): Setting | undefined {
    return this.#from.settings.get(key);
  }

  either(flag: string, key: string): Setting | undefined {
    return this.flag(flag) ?? this.setting(key);
  }
}

function script(d: Decision, { flags, positionals }: Arguments): string {
  const [first, second] = positionals;
  const flag = flags.get("script")?.at(-1);
  const extra = flag === undefined ? second : first;
  if (extra !== undefined) {
    d.refuse({ name: extra }, flag === undefined ? "one script at a time" : "cannot be used with --script",
      "arguments of the script stand behind --");
  }
  const path = flag?.text ?? first;
  if (path === undefined) d.refuse({ name: "--script" }, "is missing: name the script to run");
  return d.path(path === undefined ? undefined : { where: { name: "--script" }, text: path }, "");
}

/** The address of a realm: `ws` is taken for `http`. */
function relayOf(d: Decision, s: Sources): string | undefined {
  return d.take(s.either("relay", "RELAY"), (text) => /^(?:https?|wss?):\/\/[^/]/.test(text) && URL.canParse(text)
    ? { ok: true, value: text } : { ok: false, problem: `'${text}' is not the URL of a realm, such as http://127.0.0.1:8081` }, undefined);
}

function textOrFile(d: Decision, s: Sources, name: "prompt" | "context"): TextOrFile | undefined {
  const given = d.oneOf(s.flag(name), s.flag(`${name}-file`)) ?? s.setting(name.toUpperCase());
  if (given === undefined) return undefined;
  if (given.where.name !== `--${name}-file`) return { text: given.text };
  return { file: d.path(given, ""), flag: given.where.name };
}

const ALLOW = [
  ["allow-net", "net"], ["allow-run", "run"], ["allow-read", "fs.read"], ["allow-write", "fs.write"],
  ["allow-env", "env"], ["allow-mcp", "mcp"],
] as const;

export type GrantPlan = Pick<RunPlan, "grants" | "secrets">;

export function decideGrants(d: Decision, s: Sources, listed: readonly PlacedGrant[]): GrantPlan {
  const all: PlacedGrant[] =
    [...listed, ...s.all("grant").map(({ where, text }) => ({ where, text: text.trim() }))];
  for (const [flag, verb] of ALLOW) {
    for (const { where, text } of s.all(flag)) {
      const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
      all.push(...(items.length === 0 ? [{ where, text: verb }]
        : items.map((item) => ({ where, text: `${verb}:${item}` }))));
    }
  }
  for (const { where, text } of all) {
    const read = parseGrants([text]);
    if (!read.ok) for (const problem of read.problems) d.refuse(where, problem);
  }
  const list = all.map(({ text }) => text);
  const parsed = parseGrants(list);
  const asked = s.flag("restricted") !== undefined || s.either("grants", "GRANTS") !== undefined;
  if (asked || (parsed.ok && isRestricting(parsed.grants))) return { grants: list, secrets: [] };
  const named = parsed.ok ? parsed.grants.secret : [];
  return { grants: "all",
    secrets: named.includes(undefined) ? undefined : named.filter((name) => name !== undefined) };
}

export function decideLog(d: Decision, s: Sources, rustLog: string | undefined): LogPlan {
  const level = s.either("log", "LOG");
  const fallback = (parseLogFilter("info") as { filter: LogFilter }).filter;
  const filter = (): LogFilter => {
    const reading = parseLogFilter(level?.text ?? rustLog ?? "info");
    if (reading.ok) return reading.filter;
    for (const problem of reading.problems) {
      if (level !== undefined) d.refuse(level.where, problem);
      // Other programs read this variable too, and may know more of its language.
      else d.warn({ name: "RUST_LOG" }, `${problem}; the default info is used`);
    }
    return fallback;
  };
  return {
    filter: filter(), format: d.choice(s.either("log-format", "LOG_FORMAT"), ["pretty", "json"], "pretty"),
    to: d.path(s.either("log-to", "LOG_TO"), "stderr"),
  };
}

const MIB = 1_048_576;

export function decideLimits(d: Decision, s: Sources): Partial<BlockLimits> {
  const seconds = d.take(s.flag("timeout"), (text) => {
    const read = readNumber(text, { min: 0, max: 1e9, fraction: true });
    return read.ok && read.value === 0 ? { ok: false, problem: "0 is not above 0" } : read;
  }, undefined);
  const wallMs = seconds === undefined ? d.number(s.setting("WALL_MS_MAX"), { min: 1, max: 1e12 }, undefined)
    : seconds * 1_000;
  const mib = d.number(s.either("memory", "ISLE_MIB_MAX"), { min: 1, max: 4_096 }, undefined);
  const capacity = d.numberOrWarn(s.setting("BUS_CAPACITY"), { min: 1, max: 1_000_000 }, undefined);
  const sqlMs = d.numberOrWarn(s.setting("SQL_QUERY_TIMEOUT_MS"), { min: 0, max: 1e12 }, undefined);
  return {
    ...(wallMs === undefined ? {} : { wallMsMax: wallMs }),
    ...(mib === undefined ? {} : { isleBytesMax: mib * MIB }),
    ...(capacity === undefined ? {} : { busEventsMax: capacity }), ...(sqlMs === undefined ? {} : { sqlMs }),
  };
}

function trace(d: Decision, s: Sources): RunPlan["trace"] {
  const old = s.setting("TASK_ID");
  if (old !== undefined) d.warn(old.where, "is the old name of a trace id", "use ATOLL_TRACE_ID");
  const agent = s.setting("AGENT_ID")?.text;
  return {
    trace_id: (s.setting("TRACE_ID") ?? old)?.text ?? "", run_id: s.setting("RUN_ID")?.text ?? "",
    agent_name: s.setting("AGENT_NAME")?.text ?? "", ...(agent === undefined ? {} : { agent_id: agent }),
  };
}

const DRIVERS = ["async_fn", "async", "coroutine"];
const JOURNAL_MODES = ["WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"];
const DUMPS = ["off", "none", "meta", "full"];

/** Settings that the block reads itself: what is wrong with them is told here, at the start. */
function checkOthers(d: Decision, s: Sources): Record<string, never> {
  d.numberOrWarn(s.setting("SQL_BUSY_TIMEOUT_MS"), { min: 0, max: 2_147_483_647 }, 5_000);
  d.numberOrWarn(s.setting("TASK_GRACE_MS"), { min: 0, max: 1e12 }, 1_000);
  warnUnless(d, s.setting("TASK_DRIVER"), DRIVERS);
  warnUnless(d, s.setting("LLM_DUMP"), DUMPS);
  d.take(s.setting("SQL_JOURNAL_MODE"),
    (text) => (JOURNAL_MODES.includes(text.trim().toUpperCase()) ? { ok: true, value: text }
    : { ok: false, problem: `'${text}' is not one of ${JOURNAL_MODES.join(", ")}` }), undefined);
  for (const key of ["LLM_DUMP_ALLOW_PROD", "DEBUG_RAW"]) {
    const setting = s.setting(key);
    const read = setting === undefined ? undefined : readFlag(setting.text);
    if (read?.ok === false) d.warn((setting as Setting).where, `${read.problem}; off is used`);
  }
  return {};
}

function warnUnless(d: Decision, setting: Setting | undefined, choices: readonly string[]): void {
  if (setting === undefined || choices.includes(setting.text)) return;
  d.warn(setting.where,
    `'${setting.text}' is not one of ${choices.join(", ")}; the default ${choices[0]} is used`);
}
