/**
 * The agent loop as scripts of every language reach it.
 *
 * - `agent.run(options, functions)` → the result; `options` is JSON text (keys of block 6.1; `tools` and
 *   `extra_tools` are lists of `{name, description, input_schema, group?}`), `functions` holds callbacks:
 *   `tool(list, index, input)` with `list` `tools` or `extra_tools` and `index` from 1, which gives the text,
 *   or `{error = text}`; `on_turn(info)`, `on_delta(event)`, `on_progress`, `on_log`, `sampling`.
 * - `agent.tools(json)` → the list of tools that a run with these lists and groups would have.
 * - `model.call(request)` → one call of a model: see model-port.ts.
 * - `model.provider(base_url?)` → the provider whose key can be used there, `openai` when both can or none.
 *
 * None of them raises: what is wrong is in the result. But a call that waits for a decision ends its run with that.
 */
import { type Json, parseJson, stringifyJson } from "@atoll-run/core";
import { JsonText, type OpCall, type Ops, type Value } from "../bridges/op.ts";
import { blockError } from "../errors.ts";
import { failureOf } from "./failures.ts";
import { closed, readMessages } from "./history.ts";
import { textOf, type ToolDefinition } from "./model-port.ts";
import { type AgentOptions, invalid, readOptions } from "./options.ts";
import { type Fields, fieldsOf, listOf, textField } from "./provider.ts";
import { type AgentEnv, type AgentResult, failedResult, runAgent } from "./run-agent.ts";
import { type AgentTool, collectTools, ToolAnswer } from "./tools.ts";
import { totalOf } from "./usage.ts";
import { type AgentAsk, type AgentWatch, watched } from "./watch.ts";

export type OpEnv = Omit<AgentEnv, "log" | "trace"> & { readonly watch?: AgentWatch | undefined };

/** A message of a result is as deep as a tool's input and what is around it. */
const RESULT_DEPTH_MAX = 256;

export function agentOps(env: OpEnv): Ops {
  return {
    "agent.run": async ([text, functions], call) => {
      const result = await run(text, functions, call, env).catch(failedResult);
      if (result.park === undefined) return toJson(result);
      throw blockError("grant.denied", result.error ?? "", { facts: { park: result.park } });
    },
    "agent.tools": ([text]) => {
      const given = fieldsOf(readJson(text));
      const lists = listOf(given["lists"]).map((list) => readTools(list));
      const groups = given["groups"] === undefined || given["groups"] === null ? undefined
        : listOf(given["groups"]).map(String);
      return toJson(collectTools(lists, groups).map(({ name, description = "", input_schema = {}, raw }) =>
        raw ?? { name, description, input_schema }));
    },
    "model.provider": ([baseUrl]) => {
      const choice = typeof baseUrl === "string" ? { baseUrl } : {};
      return ["openai", "anthropic"].find((provider) => hasKey(env, { ...choice, provider })) ?? "openai";
    },
    "model.call": async ([text], call) => {
      try {
        return toJson(await callModel(fieldsOf(readJson(text)), env, call));
      } catch (error) {
        return toJson({ ok: false, ...failureOf(error) });
      }
    },
  };
}

async function run(text: Value | undefined, functions: Value | undefined, call: OpCall, env: OpEnv): Promise<AgentResult> {
  const options = toOptions(fieldsOf(readJson(text)), refsOf(functions), call);
  const { watch } = env;
  const ask = askOf(call);
  await watch?.began?.(ask);
  const result = await runAgent(options, {
    ...env, models: watched(env.models, watch, ask), trace: call.trace, log: (...line) => call.log(...line),
  });
  if (result.park === undefined) await watch?.ended?.(ask, result);
  return result;
}

function askOf(call: OpCall): AgentAsk {
  const about = call.origin?.()?.about;
  return { signal: call.signal, ...about === undefined ? {} : { about } };
}

function hasKey({ models }: OpEnv, choice: Parameters<OpEnv["models"]>[0]): boolean {
  try {
    models(choice);
    return true;
  } catch {
    return false;
  }
}

function readJson(text: Value | undefined): Json {
  const parsed = parseJson(typeof text === "string" ? text : "null", { depthMax: RESULT_DEPTH_MAX });
  if (!parsed.ok) throw invalid(`agent.run: options: ${parsed.problem}`);
  return parsed.value;
}

function toJson(value: unknown): JsonText {
  const written = stringifyJson(value, { depthMax: RESULT_DEPTH_MAX });
  if (!written.ok) throw invalid(`agent.run: result: ${written.problem} at ${written.at}`);
  return new JsonText(written.text);
}

type Refs = { readonly [name: string]: number };

function refsOf(functions: Value | undefined): Refs {
  const fields: [string, Value][] = typeof functions === "object" && functions !== null
    ? Object.entries(functions) : [];
  return Object.fromEntries(fields.flatMap(([name, ref]) => (typeof ref === "number" ? [[name, ref]] : [])));
}

function toOptions(given: Fields, refs: Refs, call: OpCall): AgentOptions {
  const back = (name: string): ((event: unknown) => Promise<void>) | undefined => {
    const ref = refs[name];
    return ref === undefined ? undefined : async (event) => void await call.callback(
      ref, [toJson(event)], { signal: call.signal },
    );
  };
  const { sampling } = refs;
  const hooks = {
    onTurn: back("on_turn"), onDelta: back("on_delta"), onProgress: back("on_progress"),
    onLog: back("on_log"),
    sampling: sampling === undefined ? undefined
      : (server: string, params: string, o: { signal: AbortSignal }) => call.callback(
        sampling, [server, params], o,
      ),
  };
  const known = Object.entries(hooks).filter(([, hook]) => hook !== undefined);
  const present = Object.fromEntries(known) as Partial<AgentOptions>;
  return {
    ...readOptions(given), ...present, signal: call.signal,
    tools: scriptTools("tools", given["tools"], refs, call),
    extraTools: scriptTools("extra_tools", given["extra_tools"], refs, call),
  };
}

function scriptTools(list: string, given: Json | undefined, refs: Refs, call: OpCall): AgentTool[] {
  // Those of the script are called as the script itself calls them, which is told.
  const own = list === "tools" ? { spanned: true } as const : {};
  return readTools(given).map((tool, i) => ({
    ...tool, ...own,
    handler: async (input, { signal }) => {
      if (refs["tool"] === undefined) throw new Error(`tool not found: ${tool.name}`);
      const answer = await call.callback(refs["tool"], [list, i + 1, toJson(input)], { signal });
      if (typeof answer === "string") return new ToolAnswer(answer);
      if (answer instanceof Uint8Array) return new ToolAnswer(new TextDecoder().decode(answer));
      const { error, park } = (answer ?? {}) as { readonly error?: Value; readonly park?: Value };
      const text = error instanceof Uint8Array ? new TextDecoder().decode(error) : String(error);
      if (typeof park === "string") throw blockError("grant.denied", text, { facts: { park } });
      return new ToolAnswer(`tool error: ${text}`, true);
    },
  }));
}

function readTools(list: Json | undefined): (ToolDefinition & { readonly group?: string })[] {
  return listOf(list).map((item, i) => {
    const tool = fieldsOf(item);
    const name = textField(tool["name"]);
    if (name === undefined || name === "") throw invalid(`agent.run: tool ${i + 1} has no name`);
    const group = textField(tool["group"]);
    const isForeign = textField(tool["type"]) !== undefined && tool["input_schema"] === undefined;
    return {
      name, description: textField(tool["description"]) ?? "", input_schema: tool["input_schema"] ?? {},
      ...(group === undefined ? {} : { group }), ...(isForeign ? { raw: item } : {}),
    };
  });
}

async function callModel(given: Fields, env: OpEnv, call: OpCall): Promise<Json> {
  const messages = readMessages(given["messages"]);
  if (messages === undefined || messages.length === 0) {
    throw invalid("messages must be a table (messages array)");
  }
  const options = readOptions({ ...given, prompt: "-" });
  const port = watched(env.models, env.watch, askOf(call))({ ...options, trace: { ...call.trace, ...options.logMeta } });
  const request = {
    system: options.system, messages: closed(messages, "interrupted"), tools: readTools(given["tools"]),
    toolChoice: options.toolChoice,
    maxTokens: options.maxTokens ?? 4_096, temperature: options.temperature, topP: options.topP,
    stop: options.stop,
    extraBody: options.extraBody, cacheControl: options.cacheControl ?? false,
    contextManagement: options.contextManagementConfig,
  };
  const reply = await port.call(request, { signal: call.signal });
  return {
    ok: true, content: textOf(reply.content), blocks: reply.content as Json, stop_reason: reply.stop,
    model: port.model,
    provider: port.provider, usage: totalOf(reply.usage) as unknown as Json,
  };
}
