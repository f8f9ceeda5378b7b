/**
 * The settings of `atoll mcp`: flags win over variables. Gives a frozen plan, or all problems at once. Pure.
 */
import { type BlockLimits, decide, type Decided, type Decision, readNumber } from "@atoll-run/core";
import { decideGrants, decideLimits, decideLog, type LogPlan, type RunSources, Sources } from "./run.ts";

export interface McpPlan {
  readonly project: string;
  readonly scripts: readonly string[];
  readonly plainNames: boolean;
  readonly grants: readonly string[];
  readonly limits: Partial<BlockLimits>;
  readonly log: LogPlan;
  /** undefined = standard input and output. */
  readonly http?: HttpPlan;
}

export interface HttpPlan {
  readonly host: string;
  readonly port: number;
  /** `none` = nobody is asked; undefined = one has to be made. */
  readonly token: string | "none" | undefined;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;
const OTHER_LANGUAGES = /\.[cm]?[jt]s$/;
const PORT_MAX = 65_535;
/** Shorter ones can be guessed. */
const TOKEN_CHARS_MIN = 16;

export function decideMcp(sources: RunSources): Decided<McpPlan> {
  return decide((d) => {
    d.problems.push(...sources.given.problems);
    const s = new Sources(sources);
    const [dir, extra] = sources.given.positionals;
    if (extra !== undefined) d.refuse({ name: extra }, "one project at a time");
    const { grants } = decideGrants(d, s, sources.grants);
    const http = decideHttp(d, s);
    const scripts = s.all("script");
    for (const { where, text } of scripts) {
      if (OTHER_LANGUAGES.test(text)) d.refuse(where, `${text}: tools are served of Lua scripts only`);
    }
    const log = decideLog(d, s, sources.rustLog);
    if (log.to === "stdout") d.refuse({ name: "--log-to" }, "standard output belongs to the protocol",
      "use stderr");
    return {
      project: dir ?? ".", scripts: scripts.map(({ text }) => text), log,
      plainNames: s.flag("plain-names") !== undefined,
      // What no grant names is denied: whoever calls the tools is a model.
      grants: grants === "all" ? [] : grants, limits: decideLimits(d, s), ...(http === undefined ? {}
        : { http }),
    };
  });
}

function decideHttp(d: Decision, s: Sources): HttpPlan | undefined {
  const at = s.flag("http");
  const open = s.flag("no-token");
  const token = s.either("token", "MCP_TOKEN");
  if (at === undefined) {
    for (const flag of [open, s.flag("token")]) if (flag !== undefined) d.refuse(flag.where,
      "goes with --http");
    return undefined;
  }
  const [, named = "127.0.0.1", digits = ""] = /^(?:(.+):)?([^:]*)$/.exec(at.text) ?? [];
  const host = named.replace(/^\[(.*)\]$/, "$1");
  const port = readNumber(digits, { min: 0, max: PORT_MAX });
  if (!port.ok) d.refuse(at.where, `port ${port.problem}`);
  if (open !== undefined && !LOOPBACK.test(host)) d.refuse(open.where, "only on this machine",
    "name a loopback host");
  if (open !== undefined && token !== undefined) d.refuse(open.where,
    `cannot be used with ${token.where.name}`);
  if (s.flag("token") !== undefined) {
    d.warn({ name: "--token" }, "flags are visible in process lists", "use ATOLL_MCP_TOKEN");
  }
  if (token !== undefined && token.text.length < TOKEN_CHARS_MIN) {
    d.refuse(token.where, `needs at least ${TOKEN_CHARS_MIN} characters`);
  }
  return { host, port: port.ok ? port.value : 0, token: open === undefined ? token?.text : "none" };
}
