/** Steps 1 to 4 of a start: everything that is checked and read before anything runs. All config problems come at once. */
import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseEnv } from "node:util";
import {
  type BlockLimits, blockLimits, configErrorText, emptyTrace, type Json, limitProblems, type Problem, stringifyJson, type TraceContext,
} from "@atoll-run/core";
import type { BlockConfig, Text } from "../config.ts";
import { blockError } from "../errors.ts";
import { type Grants, parseGrants } from "../grants/parse.ts";
import { withoutShebang } from "../modules/source.ts";

/** Names a script expects to be bridges or libraries. */
const TAKEN = new Set([
  "bus", "mesh", "http", "sh", "tool", "log", "mcp", "llm", "mob", "std", "string", "table", "math", "os", "io", "coroutine",
  "utf8", "package", "_G", "require", "arg", "_PROMPT", "_CONTEXT", "_SCRIPT_NAME", "_TOOL_REGISTRY",
]);

export interface Prepared {
  readonly source: Uint8Array;
  readonly name: string;
  readonly chunk: string;
  readonly engine: "lua" | "js" | "ts";
  readonly scriptDir: string;
  readonly projectRoot: string;
  readonly env: Record<string, string>;
  readonly grants: "all" | Grants;
  readonly limits: BlockLimits;
  readonly trace: TraceContext;
  /** JSON text by name. */
  readonly globals: Record<string, string>;
  readonly warnings: string[];
}

export async function prepare(config: BlockConfig): Promise<Prepared> {
  const parsed = config.grants === undefined || config.grants === "all" ? undefined : parseGrants(config.grants);
  const problems = configProblems(config, parsed);
  if (problems.length > 0) {
    throw blockError("config.invalid", configErrorText(problems), { facts: { problems } });
  }
  const root = resolve(config.projectRoot ?? ".");
  const script = await readScript(config);
  const prompt = await readText(config.prompt, "prompt");
  const context = await readText(config.context, "context");
  const warnings: string[] = [];
  const env = await readEnv(config, root, warnings);
  const restricted = parsed !== undefined;
  return {
    ...script, engine: engineOf(config.script, script.name), env, warnings, limits: blockLimits(restricted, config.limits), grants: parsed?.ok === true ? parsed.grants : "all",
    projectRoot: await realpath(root).catch(() => root), trace: { ...emptyTrace(), ...config.trace },
    scriptDir: script.scriptDir ?? root, globals: toGlobals(config, { prompt, context, name: script.name }),
  };
}

function configProblems(config: BlockConfig, parsed: ReturnType<typeof parseGrants> | undefined): Problem[] {
  const problems: Problem[] = [...limitProblems(config.limits ?? {})];
  for (const name of Object.keys(config.globals ?? {})) {
    if (TAKEN.has(name)) problems.push({ where: { name: `globals.${name}` }, problem: "this name belongs to a bridge", hint: "Choose another name." });
  }
  if (parsed !== undefined && !parsed.ok) problems.push(...parsed.problems.map((problem) => ({ where: { name: "grants" }, problem })));
  if (config.autoServe === true && Object.keys(config.hostHandlers ?? {}).length === 0 && config.anyHandler === undefined) {
    problems.push({ where: { name: "autoServe" }, problem: "there is no host handler to serve", hint: "Give hostHandlers or anyHandler." });
  }
  if (config.mcpTimeoutMs !== undefined && !(config.mcpTimeoutMs > 0)) {
    problems.push({ where: { name: "mcpTimeoutMs" }, problem: `${config.mcpTimeoutMs} is not above 0` });
  }
  return problems;
}

/** The language that is named, else by the end of the name; anything else is Lua. */
function engineOf(script: BlockConfig["script"], name: string): Prepared["engine"] {
  if ("language" in script && script.language !== undefined) return script.language;
  return /\.m?ts$/.test(name) ? "ts" : /\.m?js$/.test(name) ? "js" : "lua";
}

const DEFAULT_AGENT = {
  name: "default_agent_invoker.lua",
  source: `local result = require("agent").run{prompt = _PROMPT, system = _CONTEXT}
bus.emit("_", result)
return result`,
};

async function readScript(config: BlockConfig): Promise<{ source: Uint8Array; name: string; chunk: string; scriptDir?: string }> {
  const script = "defaultAgent" in config.script ? DEFAULT_AGENT : config.script;
  if ("source" in script) {
    return { source: withoutShebang(new TextEncoder().encode(script.source)), name: script.name, chunk: `@${script.name}` };
  }
  const path = resolve(script.path);
  try {
    const source = withoutShebang(await readFile(path));
    return { source, name: script.path, chunk: `@${script.path}`, scriptDir: dirname(path) };
  } catch (cause) {
    throw blockError("script.not_found", `script error: ${script.path}: ${reason(cause)}`, {
      facts: { path: script.path }, cause, hint: "Check the path of the script.",
    });
  }
}

async function readText(text: Text | undefined, what: "prompt" | "context"): Promise<string | undefined> {
  if (text === undefined || typeof text === "string") return text;
  try {
    return await readFile(text.file, "utf8");
  } catch (cause) {
    throw blockError("script.not_found", `script error: ${what} file ${text.file}: ${reason(cause)}`, { facts: { path: text.file }, cause });
  }
}

export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    ENOENT: "No such file or directory", EACCES: "Permission denied", EISDIR: "Is a directory", ENOTDIR: "Not a directory",
    ELOOP: "Too many levels of symbolic links", EMFILE: "Too many open files",
  };
  return known[code ?? ""] ?? message;
}

const ENV_LINE = /^\s*(#.*|(export\s+)?[A-Za-z_][A-Za-z0-9_.]*\s*=.*)?$/;

/** `.env` of the project adds what the environment does not have. */
async function readEnv(config: BlockConfig, root: string, warnings: string[]): Promise<Record<string, string>> {
  const file = join(root, ".env");
  const env = { ...config.env };
  let text: string;
  try {
    if (!(await stat(file)).isFile()) return env;
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") warnings.push(`${file}: ${reason(error)}`);
    return env;
  }
  let open = "";
  text.split(/\r?\n/).forEach((line, i) => {
    if (open !== "") {
      if (line.includes(open)) open = "";
      return;
    }
    if (!ENV_LINE.test(line)) warnings.push(`${file}:${i + 1}: not NAME=value; the line is passed over`);
    const quote = /=\s*(["'`])/.exec(line)?.[1];
    if (quote !== undefined && !line.slice(line.indexOf(quote) + 1).includes(quote)) open = quote;
  });
  if (open !== "") warnings.push(`${file}: a quoted value is not closed`);
  for (const [name, value] of Object.entries(parseEnv(text))) if (value !== undefined) env[name] ??= value;
  return env;
}

function toGlobals(config: BlockConfig, o: { prompt: string | undefined; context: string | undefined; name: string }): Record<string, string> {
  const values: Record<string, Json> = { ...config.globals, _SCRIPT_NAME: o.name, arg: config.args ?? [] };
  if (o.prompt !== undefined) values["_PROMPT"] = o.prompt;
  if (o.context !== undefined) values["_CONTEXT"] = o.context;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toText(value, `globals.${name}`)]));
}

/** JSON text of a host's value; what has no JSON form is a config error with its place. */
export function toText(value: unknown, what: string): string {
  const written = stringifyJson((value ?? null) as Json);
  if (!written.ok) throw blockError("json.encode", `${what}: ${written.problem}`);
  return written.text;
}
