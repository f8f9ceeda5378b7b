/** Runs compile_loop against a scripted model in a project folder of its own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type MockModel, type MockModelOptions, type MockTurn, startMockModel } from "@atoll-run/testkit";
import { project } from "../require/project.ts";
import { runLua, type ScriptEnd } from "../support/run-script.ts";

export interface LoopOrder {
  /** What the model says, in order, or a function of the request. */
  readonly says: readonly (string | MockTurn)[] | Extract<MockModelOptions["script"], (...args: never) => unknown>;
  readonly files?: Record<string, string | Uint8Array>;
  /** Lua: the body of `function(path)`; default: passes when the file has the word PASS. */
  readonly runner?: string;
  /** Lua: more fields of `conf`. */
  readonly conf?: string;
  /** Lua: fields of the input beside `spec`; default `target_file = "out.lua"`. */
  readonly input?: string;
  /** Lua: more fields of `llm`; the later of a name wins. */
  readonly llm?: string;
  /** Refuse what the real services refuse. */
  readonly strict?: boolean;
  readonly env?: Record<string, string>;
}

export interface LoopEnd {
  readonly result: LoopResult;
  /** The JSON text as the handler gave it. */
  readonly text: string;
  readonly model: MockModel;
  readonly end: ScriptEnd;
  readonly root: string;
  read(name: string): string;
  /** Messages of a request, from 0; the system prompt comes first. */
  messages(index: number): readonly { readonly role: string; readonly content: string }[];
}

export interface LoopResult {
  readonly ok: boolean;
  readonly iters: number;
  readonly summary: string;
  readonly artifact_path?: string;
  readonly modified_files?: readonly string[];
  readonly failure_reason?: string;
  readonly last_error?: string;
}

const PASSES = `
  local text = std.fs.read(path)
  local ok = text:find("PASS", 1, true) ~= nil
  return {ok = ok, stdout = "", stderr = ok and "" or "no PASS in " .. text, exit_code = ok and 0 or 1}
`;

export async function model(t: TestContext, says: LoopOrder["says"], strict = false): Promise<MockModel> {
  const script = typeof says === "function" ? says
    : { turns: says.map((one) => (typeof one === "string" ? { reply: { text: one } } : one)) };
  const started = await startMockModel({ script, strict });
  t.after(() => started.close());
  return started;
}

/** Fails when the script does; what the loop gave up with is in `result`. */
export async function loop(t: TestContext, order: LoopOrder): Promise<LoopEnd> {
  const root = await project(t, order.files ?? {});
  const mock = await model(t, order.says, order.strict);
  const end = await runLua(`
    local made = require("compile_loop").make{
      runner = function(path) ${order.runner ?? PASSES} end,
      llm = {provider = "openai", base_url = "${mock.url}", api_key = "sk-test", ${order.llm ?? ""}},
      ${order.conf ?? ""}
    }
    return made.handler{spec = "print PASS", ${order.input ?? 'target_file = "out.lua"'}}
  `, { projectRoot: root, env: { PATH: process.env["PATH"] ?? "", ...order.env } });
  if (end.result === undefined) throw end.error;
  const text = end.result.value as string;
  return {
    result: JSON.parse(text) as LoopResult, text, model: mock, end, root,
    read: (name) => readFileSync(join(root, name), "utf8"),
    messages: (index) => (mock.requests[index]?.body["messages"] ?? []) as unknown as ReturnType<LoopEnd["messages"]>,
  };
}

/** An answer with a whole file. */
export function file(content: string, lang = "lua"): string {
  return `Here it is.\n\n\`\`\`${lang}\n${content}\n\`\`\`\n`;
}

/** One edit. */
export function edit(search: string, replace: string): string {
  const lines = (text: string): string => (text === "" ? "" : `${text}\n`);
  return `<<<<<<< SEARCH\n${lines(search)}=======\n${lines(replace)}>>>>>>> REPLACE\n`;
}
