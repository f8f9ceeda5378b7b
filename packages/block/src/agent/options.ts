/** What `agent.run` is told, as a host tells it and as a script does. */
import type { Json, TraceContext } from "@atoll-run/core";
import { blockError } from "../errors.ts";
import { readMessages } from "./history.ts";
import type { Block, Delta, Message, ModelUsage } from "./model-port.ts";
import { type Fields, fieldsOf, listOf } from "./provider.ts";
import type { AgentTool } from "./tools.ts";

export interface AgentOptions {
  readonly prompt: string | readonly Block[];
  readonly system?: string;
  /** Before the prompt. */
  readonly history?: readonly Message[];
  /** Kept in the session store; a run that was interrupted goes on from the last stored message. */
  readonly session?: string;

  /** Default `anthropic`. */
  readonly provider?: string;
  /** Default: of the environment, else of the provider. */
  readonly model?: string;
  readonly baseUrl?: string;
  readonly apiKey?: string;
  readonly apiKeyEnv?: string;
  /** Of one model call, retries included; default 120,000. */
  readonly timeoutMs?: number;
  /** Default 2. */
  readonly retries?: number;
  /** Default 4,096. */
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly stop?: readonly string[];
  readonly extraBody?: Fields;
  /** Default true. */
  readonly cacheControl?: boolean;
  /** Default true. */
  readonly contextManagement?: boolean;
  /** Replaces the default whole. */
  readonly contextManagementConfig?: Json;
  readonly toolChoice?: Json;

  /** Rounds of tools; default 20. */
  readonly maxIterations?: number;
  readonly maxTokensBudget?: number;
  /** `all` adds cache tokens; default `in_out`. */
  readonly budgetCounts?: "in_out" | "all";
  readonly maxWallMs?: number;

  /** Tools in the order the model is told of them; the first of a name wins. */
  readonly tools?: readonly AgentTool[];
  /** After the tools of MCP servers. */
  readonly extraTools?: readonly AgentTool[];
  /** Default: all. A tool without a group is of `default`. */
  readonly toolGroups?: readonly string[];
  /** Calls of one turn that run together; default 1. */
  readonly parallelTools?: number;
  readonly toolTimeoutMs?: number;
  /** Default 200,000. */
  readonly maxToolResultChars?: number;
  readonly mcpServers?: readonly Fields[];
  readonly enableResources?: boolean;
  readonly enablePrompts?: boolean;
  readonly progressToLog?: boolean;
  readonly logToStderr?: boolean;

  readonly stream?: boolean;
  readonly onDelta?: (delta: Delta) => void | Promise<void>;
  readonly onTurn?: (turn: Turn) => void | Promise<void>;
  readonly onProgress?: (event: Json) => void | Promise<void>;
  readonly onLog?: (event: Json) => void | Promise<void>;
  /**
   * Answers servers that ask for a model: true = with that of the run, or as `mcp.set_sampling_handler` has
   * it.
   */
  readonly sampling?: true | (
    (server: string, params: string, o: { readonly signal: AbortSignal }) => Promise<unknown>
  );
  readonly logMeta?: Partial<TraceContext>;
  readonly signal?: AbortSignal;
}

export interface Usage extends Omit<ModelUsage, "cache_beside_input"> {
  readonly total_tokens: number;
}

export interface Turn {
  /** From 1. */
  readonly turn_number: number;
  /** Text of the assistant's message. */
  readonly content: string;
  readonly tool_calls: readonly { readonly id: string; readonly name: string; readonly input: Json }[];
  /** Of this turn. */
  readonly usage: Usage;
  readonly context_management?: Json;
}

export const TOOLS_TOGETHER = 8;
const SECOND = 1_000;

/** The plain options of a script; functions and tools are put in by the caller. Throws `agent.invalid`. */
export function readOptions(given: Json): AgentOptions {
  const fields = fieldsOf(given);
  const read = new Reader(fields);
  const options: { [name: string]: unknown } = { prompt: readPrompt(fields["prompt"]) };
  for (const [name, key, take] of OPTIONS) {
    if (fields[key] === undefined || fields[key] === null) continue;
    const value = take(read, key, fields[key]);
    if (value !== undefined) options[name] = value;
  }
  return { mcpServers: [], ...options } as unknown as AgentOptions;
}

type Take = (read: Reader, key: string, value: Json) => unknown;

const text: Take = (read, key) => read.text(key);
const number: Take = (read, key) => read.number(key);
const flag: Take = (read, key) => read.flag(key);
const texts: Take = (read, key) => read.texts(key);
const fields: Take = (read, key) => read.fields(key);
const seconds: Take = (read, key) => (read.number(key) as number) * SECOND;

/** Where each option stands among those of a script, in the order in which mistakes are told. */
const OPTIONS: readonly (readonly [name: keyof AgentOptions, key: string, take: Take])[] = [
  ["system", "system", text], ["history", "history", (_read, _key, value) => readHistory(value)],
  ["session", "session", text], ["provider", "provider", text], ["model", "model", text], ["baseUrl", "base_url", text],
  ["apiKey", "api_key", text], ["apiKeyEnv", "api_key_env", text], ["timeoutMs", "timeout", seconds],
  ["retries", "retries", number], ["maxTokens", "max_tokens", number], ["temperature", "temperature", number],
  ["topP", "top_p", number], ["stop", "stop", texts], ["extraBody", "extra_body", fields],
  ["cacheControl", "cache_control", flag], ["contextManagement", "context_management", flag],
  ["contextManagementConfig", "context_management_config", fields],
  ["toolChoice", "tool_choice", (_read, _key, value) => readChoice(value)],
  ["maxIterations", "max_iterations", number], ["maxTokensBudget", "max_tokens_budget", number],
  ["budgetCounts", "budget_counts", (read, key) => readCounts(read.text(key))], ["maxWallMs", "max_wall_ms", number],
  ["toolGroups", "tool_groups", texts], ["parallelTools", "parallel_tools", (_read, _key, value) => readParallel(value)],
  ["toolTimeoutMs", "tool_timeout", seconds], ["maxToolResultChars", "max_tool_result_chars", number],
  ["mcpServers", "mcp_servers", (_read, _key, value) => listOf(value).map(fieldsOf)],
  ["enableResources", "enable_resources", flag], ["enablePrompts", "enable_prompts", flag],
  ["progressToLog", "progress_to_log", flag], ["logToStderr", "log_to_stderr", flag],
  ["sampling", "sampling", (_read, _key, value) => (value === true ? true : undefined)], ["stream", "stream", flag],
  ["logMeta", "log_meta", (read, key) => readMeta(read.fields(key))],
];

export function invalid(text: string): Error {
  return blockError("agent.invalid", text);
}

function readPrompt(prompt: Json | undefined): AgentOptions["prompt"] {
  if (typeof prompt === "string" && prompt !== "") return prompt;
  if (Array.isArray(prompt) && prompt.length > 0) return prompt as readonly Block[];
  throw invalid("prompt is required");
}

function readHistory(history: Json | undefined): readonly Message[] | undefined {
  if (history === undefined || history === null) return undefined;
  const messages = readMessages(history);
  if (messages === undefined) throw invalid("history must be a table (messages array)");
  return messages;
}

function readChoice(choice: Json | undefined): Json | undefined {
  return typeof choice === "string" ? { type: choice } : choice ?? undefined;
}

function readCounts(counts: string | undefined): "in_out" | "all" | undefined {
  if (counts === undefined || counts === "in_out" || counts === "all") return counts;
  throw invalid(`agent.run: opts.budget_counts must be 'in_out' or 'all', got '${counts}'`);
}

function readParallel(value: Json | undefined): number | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  if (value === true) return TOOLS_TOGETHER;
  if (typeof value === "number" && value >= 1) return Math.floor(value);
  throw invalid("agent.run: opts.parallel_tools must be a number from 1 on, or true");
}

function readMeta(meta: Fields | undefined): Partial<TraceContext> | undefined {
  if (meta === undefined) return undefined;
  const names = ["trace_id", "run_id", "agent_id", "agent_name"] as const;
  return Object.fromEntries(
    names.flatMap((name) => (typeof meta[name] === "string" ? [[name, meta[name]]] : [])),
  );
}

/** Fields of one table, with one text for one kind of mistake. An absent one is nil or the null sentinel. */
class Reader {
  readonly #fields: Fields;

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  text(name: string): string | undefined {
    return this.#read(name, "string", (value) => (typeof value === "string" ? value : undefined));
  }

  number(name: string): number | undefined {
    return this.#read(name, "non-negative number", (value) => {
      const number = typeof value === "bigint" ? Number(value) : value;
      return typeof number === "number" && number >= 0 ? number : undefined;
    });
  }

  flag(name: string): boolean | undefined {
    return this.#read(name, "boolean", (value) => (typeof value === "boolean" ? value : undefined));
  }

  fields(name: string): Fields | undefined {
    return this.#read(name, "table", (value) => {
      if (Array.isArray(value)) return value.length === 0 ? {} : undefined;
      return typeof value === "object" ? value as Fields : undefined;
    });
  }

  texts(name: string): readonly string[] | undefined {
    return this.#read(name, "list of strings", (value) => {
      if (typeof value === "string") return [value];
      if (!Array.isArray(value)) {
        return typeof value === "object" && value !== null && Object.keys(value).length === 0 ? []
          : undefined;
      }
      return value.every((item) => typeof item === "string") ? value as unknown as readonly string[]
        : undefined;
    });
  }

  #read<T>(name: string, wanted: string, take: (value: Json) => T | undefined): T | undefined {
    const value = this.#fields[name];
    if (value === undefined || value === null) return undefined;
    const taken = take(value);
    if (taken !== undefined) return taken;
    throw invalid(`agent.run: opts.${name} must be a ${wanted}, got ${luaType(value)}`);
  }
}

function luaType(value: Json): string {
  return typeof value === "object" ? "table" : typeof value === "bigint" ? "number" : typeof value;
}
