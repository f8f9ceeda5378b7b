/** A streamed reply of Chat Completions, put together from its chunks. */
import { type Json, parseJson, type SseEvent } from "@atoll-run/core";
import { apiError, replyError, saidIn } from "./failures.ts";
import type { Delta, ModelReply } from "./model-port.ts";
import { countOf, type Fields, fieldsOf, listOf, type ReplyStream, textField } from "./provider.ts";

interface Call {
  id: string;
  name: string;
  arguments: Json;
}

export class OpenAiStream implements ReplyStream {
  readonly #toReply: (choice: Fields, usage: Fields) => ModelReply;
  readonly #calls: Call[] = [];
  #text = "";
  #refusal = "";
  #finish: string | undefined;
  #usage: Fields = {};
  #begun = false;

  constructor(toReply: (choice: Fields, usage: Fields) => ModelReply) {
    this.#toReply = toReply;
  }

  push({ data }: SseEvent): readonly Delta[] {
    const parsed = parseJson(data);
    if (!parsed.ok) throw replyError("OpenAI response JSON decode failed", { problem: parsed.problem });
    const chunk = fieldsOf(parsed.value);
    if (chunk["error"] !== undefined && chunk["error"] !== null) {
      const status = countOf(fieldsOf(chunk["error"])["code"]);
      throw apiError(status >= 400 && status < 600 ? status : 500, saidIn(chunk));
    }
    if (typeof chunk["usage"] === "object" && chunk["usage"] !== null) this.#usage = fieldsOf(chunk["usage"]);
    const [first] = listOf(chunk["choices"]);
    if (first === undefined) return [];
    this.#begun = true;
    const choice = fieldsOf(first);
    this.#finish = textField(choice["finish_reason"]) ?? this.#finish;
    return this.#grow(fieldsOf(choice["delta"]));
  }

  #grow(delta: Fields): readonly Delta[] {
    const deltas: Delta[] = [];
    const thinking = textField(delta["reasoning_content"]) ?? textField(delta["reasoning"]) ?? "";
    if (thinking !== "") deltas.push({ type: "thinking", text: thinking, index: 0 });
    const text = textField(delta["content"]) ?? "";
    this.#text += text;
    if (text !== "") deltas.push({ type: "text", text, index: 0 });
    this.#refusal += textField(delta["refusal"]) ?? "";
    for (const [i, item] of listOf(delta["tool_calls"]).entries()) {
      const piece = fieldsOf(item);
      const given = this.#call(
        piece["index"] === undefined ? this.#place(piece, i) : countOf(piece["index"]), piece,
      );
      if (given !== undefined) deltas.push(given);
    }
    return deltas;
  }

  /** Servers that number nothing send each call whole. */
  #place(piece: Fields, i: number): number {
    return textField(piece["id"]) === undefined && this.#calls.length > 0 ? this.#calls.length - 1
      : this.#calls.length + i;
  }

  #call(at: number, piece: Fields): Delta | undefined {
    if (at > 1_000) throw replyError("invalid OpenAI response: too many tool calls");
    const call = this.#calls[at] ??= { id: "", name: "", arguments: "" };
    const called = fieldsOf(piece["function"]);
    call.id ||= textField(piece["id"]) ?? "";
    call.name += textField(called["name"]) ?? "";
    const given = called["arguments"] ?? "";
    if (typeof given !== "string") {
      call.arguments = given;
      return undefined;
    }
    if (typeof call.arguments === "string") call.arguments += given;
    return given === "" ? undefined
      : { type: "tool_input", text: given, index: at + (this.#text === "" ? 0 : 1) };
  }

  end(): ModelReply {
    if (!this.#begun) throw replyError("invalid OpenAI response: missing choices");
    if (this.#finish === undefined) throw replyError("invalid OpenAI response: the stream ended early");
    const tool_calls = this.#calls.filter((call) => call !== undefined)
      .map(({ id, name, arguments: given }) => ({ id, function: { name, arguments: given } }));
    const message = { content: this.#text, refusal: this.#refusal, tool_calls };
    return this.#toReply({ message, finish_reason: this.#finish }, this.#usage);
  }
}
