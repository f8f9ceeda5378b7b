/**
 * The agent loop: one for scripts in every language, for TypeScript programs and for members of a mob.
 * takes a prompt, tools and bounds; gives what the model said and the whole history; promises that the
 * history is valid wherever the run stops, and that it never throws; refuses nothing: what is wrong is in
 * the result; never knows a provider, a script language or a network.
 */
import type { Clock } from "@atoll-run/core";
import type { CallTrace, Spans } from "../observe/spans.ts";
import { CONTEXT_MANAGEMENT } from "./anthropic.ts";
import { type ErrorDetail, type Failure, failureOf } from "./failures.ts";
import { closed, notRun, openCalls, withPrompt, withResult } from "./history.ts";
import {
  isToolUse, type Message, type ModelPort, type ModelReply, type ModelRequest, textOf,
  type ToolResult, type ToolUse,
} from "./model-port.ts";
import type { Models } from "./models.ts";
import type { Observe } from "./observe.ts";
import { type AgentOptions, invalid, type Usage } from "./options.ts";
import { isInterrupted, type Sessions } from "./session.ts";
import { type AgentTool, callTool, collectTools, parkOf } from "./tools.ts";
import { NO_USAGE, sum, summaryOf, totalOf } from "./usage.ts";

export interface AgentEnv {
  readonly models: Models;
  readonly clock: Clock;
  log(
    level: "debug" | "info" | "warn" | "error", target: string, msg: string, fields?: Record<string, unknown>,
  ): void;
  /** For `session`. */
  readonly sessions?: Sessions;
  /** For `mcpServers`. */
  readonly mcp?: OpenMcpServers;
  readonly trace?: CallTrace;
  readonly observe?: Observe;
  readonly spans?: Spans | undefined;
}

/** What the servers of a run know of it. */
export interface McpContext {
  readonly signal: AbortSignal;
  /** Answers servers that ask for one. */
  readonly model: ModelPort;
  readonly trace: CallTrace | undefined;
  readonly spans?: Spans | undefined;
  readonly log: AgentEnv["log"];
}

/** Opens the servers of a run, all or none; they are closed with what it gives. */
export type OpenMcpServers = (options: AgentOptions, context: McpContext) =>
  Promise<AsyncDisposable & { readonly tools: readonly AgentTool[] }>;

export type StoppedBy =
  | "end_turn" | "max_tokens" | "max_iterations" | "budget" | "wall" | "refusal" | "error" | "cancelled";

export interface AgentResult extends Partial<Failure> {
  readonly ok: boolean;
  /** Text of the last message of the model. */
  readonly content: string;
  readonly usage: Usage;
  /** Model calls that were answered. */
  readonly num_turns: number;
  /** The whole history, valid as `history` of a next run. */
  readonly messages: readonly Message[];
  readonly stopped_by: StoppedBy;
  readonly error_detail?: ErrorDetail;
  /** A tool call waits for that: it is not made; a run with the same session and prompt makes it then. */
  readonly park?: string;
}

const MAX_TOKENS = 4_096;
const ITERATIONS = 20;
const RESULT_CHARS = 200_000;

/** Runs until the model is done or a bound is reached. Never rejects. */
export async function runAgent(options: AgentOptions, env: AgentEnv): Promise<AgentResult> {
  const run = new AgentRun(options, env);
  try {
    return run.result(await run.toEnd());
  } catch (error) {
    return run.failed(error);
  }
}

/** A result for a run that could not begin. */
export function failedResult(error: unknown): AgentResult {
  return {
    ok: false, content: "", usage: totalOf(NO_USAGE), num_turns: 0, messages: [], stopped_by: "error",
    ...failureOf(error),
  };
}

class AgentRun {
  readonly #o: AgentOptions;
  readonly #env: AgentEnv;
  readonly #begun: number;
  readonly #signal: AbortSignal;
  #messages: readonly Message[];
  #usage = NO_USAGE;
  #turns = 0;
  #iterations = 0;
  #tools: ReadonlyMap<string, AgentTool> = new Map();
  /** Writes of the session, one after the other. */
  #saving: Promise<void> = Promise.resolve();

  constructor(options: AgentOptions, env: AgentEnv) {
    this.#o = options;
    this.#env = env;
    this.#begun = env.clock.monotonic();
    this.#signal = options.signal ?? new AbortController().signal;
    this.#messages = options.history ?? [];
  }

  async toEnd(): Promise<StoppedBy> {
    const { session, history = [], prompt, mcpServers = [] } = this.#o;
    if (prompt === undefined || prompt.length === 0) throw invalid("prompt is required");
    if (session !== undefined && this.#env.sessions === undefined) {
      throw invalid("session: there is no store");
    }
    if (mcpServers.length > 0 && this.#env.mcp === undefined) {
      throw invalid("mcp_servers: MCP is not available");
    }
    using _held = session === undefined ? undefined : this.#env.sessions?.hold(session);
    const stored = session === undefined ? [] : await this.#env.sessions?.load(session) ?? [];
    const goesOn = isInterrupted(stored, prompt);
    const before = closed(stored.length > 0 ? stored : history, "interrupted", { keepLast: goesOn });
    this.#messages = goesOn ? before : withPrompt(before, prompt);
    const { trace, spans } = this.#env;
    const model = this.#env.models({ ...this.#o, trace: { ...trace, ...this.#o.logMeta } });
    const context = { signal: this.#signal, model, trace, spans, log: this.#env.log };
    await using servers = mcpServers.length === 0 ? undefined : await this.#env.mcp?.(this.#o, context);
    const lists = [this.#o.tools ?? [], servers?.tools ?? [], this.#o.extraTools ?? []];
    this.#tools = new Map(collectTools(lists, this.#o.toolGroups).map((tool) => [tool.name, tool]));
    return await this.#loop(model);
  }

  async #loop(model: ModelPort): Promise<StoppedBy> {
    const open = openCalls(this.#messages);
    if (open.length > 0) {
      const stop = await this.#round(open);
      if (stop !== undefined) return stop;
    }
    for (;;) {
      const reply = await this.#ask(model);
      const calls = reply.content.filter(isToolUse);
      const stop = this.#judge(reply, calls);
      this.#messages = [...this.#messages, { role: "assistant", content: reply.content }];
      if (stop !== undefined) this.#closeOpen(`${stop} reached`);
      await this.#save();
      await this.#tellTurn(reply, calls);
      if (stop !== undefined) return stop;
      const cancelled = calls.length === 0 ? undefined : await this.#round(calls);
      if (cancelled !== undefined) return cancelled;
    }
  }

  async #ask(model: ModelPort): Promise<ModelReply> {
    if (this.#signal.aborted) throw this.#signal.reason;
    const begun = this.#env.clock.monotonic();
    const about =
      { provider: model.provider, model: model.model, turn: this.#turns + 1, iteration: this.#iterations };
    try {
      const reply = await model.call(
        this.#request(), { signal: this.#signal, onDelta: this.#hearer(), about },
      );
      this.#turns++;
      this.#usage = sum(this.#usage, reply.usage);
      const latency_ms = Math.round(this.#env.clock.monotonic() - begun);
      this.#env.observe?.({ what: "summary", ...about, ...summaryOf(reply), latency_ms });
      return reply;
    } catch (error) {
      const { error: text, error_code } = failureOf(error);
      this.#env.observe?.({ what: "failed", ...about, error: text, error_code });
      throw error;
    }
  }

  #request(): ModelRequest {
    const o = this.#o;
    const management = o.contextManagementConfig ?? CONTEXT_MANAGEMENT;
    return {
      system: o.system, messages: this.#messages, tools: [...this.#tools.values()], toolChoice: o.toolChoice,
      maxTokens: o.maxTokens ?? MAX_TOKENS, temperature: o.temperature, topP: o.topP, stop: o.stop,
      extraBody: o.extraBody, cacheControl: o.cacheControl ?? true,
      contextManagement: o.contextManagement === false ? undefined : management,
    };
  }

  #hearer(): ((delta: Parameters<NonNullable<AgentOptions["onDelta"]>>[0]) => Promise<void>) | undefined {
    const { stream, onDelta } = this.#o;
    if (stream !== true) return undefined;
    return async (delta) => {
      if (onDelta !== undefined) await this.#warned("on_delta", () => onDelta(delta));
    };
  }

  /** Why the run ends here; undefined when tools are to run, or the model paused. */
  #judge(reply: ModelReply, calls: readonly ToolUse[]): StoppedBy | undefined {
    if (reply.stop === "refusal") return "refusal";
    if (reply.stop === "max_tokens") return "max_tokens";
    if (reply.stop === "end_turn") return "end_turn";
    if (calls.length === 0 && reply.stop !== "pause_turn") return "end_turn";
    const { maxIterations = ITERATIONS, maxTokensBudget = Infinity, maxWallMs = Infinity } = this.#o;
    if (this.#iterations >= maxIterations) return this.#bound("max_iterations", maxIterations);
    if (this.#spent() >= maxTokensBudget) return this.#bound("budget", maxTokensBudget);
    if (this.#env.clock.monotonic() - this.#begun >= maxWallMs) return this.#bound("wall", maxWallMs);
    if (calls.length === 0) this.#iterations++;
    return undefined;
  }

  #bound(stop: StoppedBy, limit: number): StoppedBy {
    this.#env.log(
      "warn", "llm", `agent.run: stopped by ${stop} (${limit})`,
      { turns: this.#turns, total_tokens: totalOf(this.#usage).total_tokens },
    );
    return stop;
  }

  #spent(): number {
    const { input_tokens, output_tokens, cache_beside_input } = this.#usage;
    return input_tokens + output_tokens + (this.#o.budgetCounts === "all" ? cache_beside_input : 0);
  }

  /** Runs the calls of one turn and appends one message of their results, in the order of the calls. */
  async #round(calls: readonly ToolUse[]): Promise<"cancelled" | undefined> {
    this.#iterations++;
    const { clock, spans, trace } = this.#env;
    const { toolTimeoutMs: timeoutMs = Infinity, maxToolResultChars: charsMax = RESULT_CHARS } = this.#o;
    const parts = { clock, timeoutMs, charsMax, spans, trace };
    const waiting = [...calls];
    const results: ToolResult[] = [];
    const worker = async (): Promise<void> => {
      for (let call = waiting.shift(); call !== undefined && !this.#signal.aborted; call = waiting.shift()) {
        const result = await callTool(this.#tools, call, this.#signal, parts);
        results.push(result);
        this.#messages = withResult(this.#messages, result);
        await this.#save();
      }
    };
    const together = Math.max(1, Math.min(Math.floor(this.#o.parallelTools ?? 1), calls.length));
    await settled(Array.from({ length: together }, worker));
    if (!this.#signal.aborted) return undefined;
    this.#closeOpen("cancelled");
    await this.#save();
    return "cancelled";
  }

  #closeOpen(why: string): void {
    for (const result of notRun(openCalls(this.#messages), why)) {
      this.#messages = withResult(this.#messages, result);
    }
  }

  /**
   * Durable when it settles; several writes asked for at once follow each other, each with all there is by
   * then.
   */
  async #save(): Promise<void> {
    const { session } = this.#o;
    const { sessions } = this.#env;
    if (session === undefined || sessions === undefined) return;
    const saving = this.#saving.catch(() => undefined).then(() => sessions.save(session, this.#messages));
    this.#saving = saving;
    await saving;
  }

  async #tellTurn(reply: ModelReply, calls: readonly ToolUse[]): Promise<void> {
    const { onTurn } = this.#o;
    if (onTurn === undefined) return;
    await this.#warned("on_turn", () => onTurn({
      turn_number: this.#turns, content: textOf(reply.content), usage: totalOf(reply.usage),
      tool_calls: calls.map(({ id, name, input }) => ({ id, name, input })),
      ...(reply.contextManagement === undefined ? {} : { context_management: reply.contextManagement }),
    }));
  }

  /** A callback's own error does not end the run. */
  async #warned(name: string, call: () => void | Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#env.log(
        "warn", "llm", `agent.run: ${name} failed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  result(stopped_by: StoppedBy, failure: Partial<Failure> = {}): AgentResult {
    const said = this.#messages.findLast((message) => message.role === "assistant");
    const refused = stopped_by === "refusal"
      ? { error: "the model refused to answer", error_code: "model.refused" } : {};
    const cancelled = stopped_by === "cancelled" ? { error: "cancelled", error_code: "run.cancelled" } : {};
    const more = { ...refused, ...cancelled, ...failure };
    return {
      ok: more.error === undefined,
      content: this.#turns === 0 || said === undefined ? "" : textOf(said.content),
      usage: totalOf(this.#usage),
      num_turns: this.#turns, messages: this.#messages, stopped_by, ...more,
    };
  }

  failed(error: unknown): AgentResult {
    this.#closeOpen("error");
    const isCancel = this.#signal.aborted;
    if (isCancel) return this.result("cancelled");
    const park = parkOf(error);
    return { ...this.result("error", failureOf(error)), ...park === undefined ? {} : { park } };
  }
}

/** Waits for all, also when one failed, and then throws the first failure. */
async function settled(works: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(works);
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
