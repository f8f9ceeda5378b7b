/** A streamed reply of Anthropic's Messages API, put together from its events. */
import { type Json, parseJson, type SseEvent } from "@atoll-run/core";
import { apiError, replyError, saidIn } from "./failures.ts";
import type { Block, Delta, ModelReply } from "./model-port.ts";
import { type Fields, fieldsOf, type ReplyStream, textField } from "./provider.ts";

interface Open {
  fields: { [key: string]: Json };
  /** Arguments of a tool call as they come, as JSON text. */
  input: string;
}

/** HTTP status that an error event would have had. */
const STATUS: Readonly<Record<string, number>> = {
  invalid_request_error: 400, authentication_error: 401, permission_error: 403, not_found_error: 404,
  request_too_large: 413, rate_limit_error: 429, api_error: 500, timeout_error: 504, overloaded_error: 529,
};

export class AnthropicStream implements ReplyStream {
  readonly #blocks: Open[] = [];
  readonly #toReply: (content: readonly Block[], reply: Fields) => ModelReply;
  #message: Fields = {};
  #stopped = false;

  constructor(toReply: (content: readonly Block[], reply: Fields) => ModelReply) {
    this.#toReply = toReply;
  }

  push({ data }: SseEvent): readonly Delta[] {
    const parsed = parseJson(data);
    if (!parsed.ok) throw replyError("Anthropic response JSON decode failed", { problem: parsed.problem });
    const event = fieldsOf(parsed.value);
    const index = Number(event["index"] ?? 0);
    switch (event["type"]) {
      case "message_start": this.#message = fieldsOf(event["message"]); return [];
      case "content_block_start": return this.#begin(index, fieldsOf(event["content_block"]));
      case "content_block_delta": return this.#grow(index, fieldsOf(event["delta"]));
      case "message_delta": this.#update(event); return [];
      case "message_stop": this.#stopped = true; return [];
      case "error": {
        const said = saidIn(event);
        throw apiError(STATUS[said.type ?? ""] ?? 500, said);
      }
      default: return [];
    }
  }

  #begin(index: number, block: Fields): readonly Delta[] {
    this.#blocks[index] = { fields: { ...block }, input: "" };
    const text = textField(block["text"]) ?? textField(block["thinking"]) ?? "";
    return text === "" ? [] : [{ type: block["type"] === "thinking" ? "thinking" : "text", text, index }];
  }

  #grow(index: number, delta: Fields): readonly Delta[] {
    const block = this.#blocks[index];
    if (block === undefined) {
      throw replyError("invalid Anthropic response: a piece of a block that did not begin");
    }
    const add = (name: string, text: string): void => {
      block.fields[name] = `${textField(block.fields[name]) ?? ""}${text}`;
    };
    switch (delta["type"]) {
      case "text_delta": return this.#said(
        add, { type: "text", name: "text", text: textField(delta["text"]) ?? "", index },
      );
      case "thinking_delta":
        return this.#said(
          add, { type: "thinking", name: "thinking", text: textField(delta["thinking"]) ?? "", index },
        );
      case "signature_delta": add("signature", textField(delta["signature"]) ?? ""); return [];
      case "citations_delta":
        block.fields["citations"] = [...(block.fields["citations"] as readonly Json[] | null ?? []), delta["citation"] ?? null];
        return [];
      case "input_json_delta": {
        const text = textField(delta["partial_json"]) ?? "";
        block.input += text;
        return text === "" ? [] : [{ type: "tool_input", text, index }];
      }
      default: return [];
    }
  }

  #said(
    add: (name: string, text: string) => void, { name, ...delta }: Delta & { readonly name: string },
  ): readonly Delta[] {
    add(name, delta.text);
    return delta.text === "" ? [] : [delta];
  }

  #update(event: Fields): void {
    const management = event["context_management"];
    this.#message = {
      ...this.#message, ...fieldsOf(event["delta"]),
      usage: { ...fieldsOf(this.#message["usage"]), ...fieldsOf(event["usage"]) },
      ...(management === undefined ? {} : { context_management: management }),
    };
  }

  end(): ModelReply {
    if (!this.#stopped && textField(this.#message["stop_reason"]) === undefined) {
      throw replyError("invalid Anthropic response: the stream ended early");
    }
    return this.#toReply(this.#blocks.filter((block) => block !== undefined).map(toBlock), this.#message);
  }
}

function toBlock({ fields, input }: Open): Block {
  if (!("input" in fields)) return fields as unknown as Block;
  if (input === "") return fields as unknown as Block;
  const parsed = parseJson(input);
  // cut off in the middle, by max_tokens
  if (!parsed.ok) {
    return { ...fields, input: {}, is_error_hint: "arguments_parse_failed" } as unknown as Block;
  }
  return { ...fields, input: parsed.value } as unknown as Block;
}
