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
  const read = new Reader(fieldsOf(given));
  const seconds = (name: string): number | undefined => {
    const value = read.number(name);
    return value === undefined ? undefined : value * SECOND;
  };
  const options = {
    prompt: readPrompt(fieldsOf(given)["prompt"]), system: read.text("system"),
    history: readHistory(fieldsOf(given)["history"]),
    session: read.text("session"), provider: read.text("provider"), model: read.text("model"),
    baseUrl: read.text("base_url"),
    apiKey: read.text("api_key"), apiKeyEnv: read.text("api_key_env"), timeoutMs: seconds("timeout"),
    retries: read.number("retries"),
    maxTokens: read.number("max_tokens"), temperature: read.number("temperature"), topP: read.number("top_p"),
    stop: read.texts("stop"),
    extraBody: read.fields("extra_body"), cacheControl: read.flag("cache_control"),
    contextManagement: read.flag("context_management"),
    contextManagementConfig: read.fields("context_management_config"),
    toolChoice: readChoice(fieldsOf(given)["tool_choice"]),
    maxIterations: read.number("max_iterations"), maxTokensBudget: read.number("max_tokens_budget"),
    budgetCounts: readCounts(read.text("budget_counts")),
    maxWallMs: read.number("max_wall_ms"), toolGroups: read.texts("tool_groups"),
    parallelTools: readParallel(fieldsOf(given)["parallel_tools"]),
    toolTimeoutMs: seconds("tool_timeout"), maxToolResultChars: read.number("max_tool_result_chars"),
    mcpServers: listOf(fieldsOf(given)["mcp_servers"]).map(fieldsOf),
    enableResources: read.flag("enable_resources"),
    enablePrompts: read.flag("enable_prompts"), progressToLog: read.flag("progress_to_log"),
    logToStderr: read.flag("log_to_stderr"),
    sampling: fieldsOf(given)["sampling"] === true ? true : undefined, stream: read.flag("stream"),
    logMeta: readMeta(read.fields("log_meta")),
  };
  const present = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as unknown as AgentOptions;
}

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
