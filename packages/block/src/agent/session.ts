/**
 * Sessions of the agent loop: the messages of each under its id, where the block `session` keeps them too.
 */
import { type Json, type KvStore, parseJson, stringifyJson } from "@atoll-run/core";
import { blockError } from "../errors.ts";
import { blocksOf, openCalls, readMessages } from "./history.ts";
import { isToolResult, type Message } from "./model-port.ts";

export const SESSION_NAMESPACE = "_agent_block_session";

export interface Sessions {
  /**
   * No messages when there is no such session. Throws `kv.*`, or `agent.invalid` when something else is
   * there.
   */
  load(id: string): Promise<readonly Message[]>;
  /** Durable when it settles. */
  save(id: string, messages: readonly Message[]): Promise<void>;
  /** Held by one run at a time. Throws `agent.invalid`. */
  hold(id: string): Disposable;
}

export function createSessions(kv: () => KvStore, limits: { readonly timeoutMs: number }): Sessions {
  const held = new Set<string>();
  const call = limits.timeoutMs > 0 ? { timeoutMs: limits.timeoutMs } : {};
  return {
    async load(id) {
      const text = await kv().get(SESSION_NAMESPACE, id, call);
      if (text === undefined) return [];
      const parsed = parseJson(text);
      const messages = parsed.ok ? readMessages(parsed.value) : undefined;
      if (messages === undefined) {
        throw blockError(
          "agent.invalid", `session '${id}' does not hold messages`, { facts: { session: id } },
        );
      }
      return messages;
    },
    async save(id, messages) {
      const written = stringifyJson(messages);
      if (!written.ok) {
        throw blockError("json.encode", `session '${id}': ${written.problem} at ${written.at}`);
      }
      await kv().set(SESSION_NAMESPACE, id, written.text, call);
    },
    hold(id) {
      if (id === "") throw blockError("agent.invalid", "session: id must be a non-empty string");
      if (held.has(id)) {
        throw blockError(
          "agent.invalid", `session '${id}' is in use by another run`, { facts: { session: id } },
        );
      }
      held.add(id);
      return { [Symbol.dispose]: () => void held.delete(id) };
    },
  };
}

/** Was a run with this prompt interrupted here? Then it goes on instead of being told the prompt again. */
export function isInterrupted(messages: readonly Message[], prompt: Message["content"]): boolean {
  const last = messages.at(-1);
  if (last === undefined || (last.role === "assistant" && openCalls(messages).length === 0)) return false;
  const asked = messages.findLast(
    ({ role, content }) => role === "user" && blocksOf(content).some((block) => !isToolResult(block)),
  );
  if (asked === undefined) return false;
  const wanted = blocksOf(prompt);
  return same(blocksOf(asked.content).slice(-wanted.length) as Json, wanted as Json);
}

function same(a: Json, b: Json): boolean {
  const [left, right] = [stringifyJson(a), stringifyJson(b)];
  return left.ok && right.ok && left.text === right.text;
}
