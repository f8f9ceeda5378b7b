/** What differs between providers, as pure functions: no network in sight. */
import type { Json, SseEvent } from "@atoll-run/core";
import type { Delta, ModelReply, ModelRequest } from "./model-port.ts";

export interface Provider {
  readonly id: string;
  readonly keyVariable: string;
  readonly modelVariable: string;
  readonly baseUrlVariable: string;
  readonly defaultModel: string;
  readonly defaultBaseUrl: string;
  /** Below the base URL. */
  readonly path: string;
  /** What is said when the key of the provider's own variable is missing. */
  readonly keyMissing: string;
  headers(key: string, request: ModelRequest): Record<string, string>;
  body(model: string, request: ModelRequest, stream: boolean): { [key: string]: Json };
  /** Throws `model.reply` with the text of the specification. */
  readReply(json: Json, newId: () => string): ModelReply;
  /** Text of `model.reply` for a body that is no JSON. */
  readonly notJson: string;
  stream(newId: () => string): ReplyStream;
}

/** Puts a reply together from the events of a stream; gives the same reply as the whole one would be. */
export interface ReplyStream {
  /** The pieces to hand on. Throws `model.api` for an error that comes as an event. */
  push(event: SseEvent): readonly Delta[];
  /** At the end of the stream. Throws `model.reply` when it ended too early. */
  end(): ModelReply;
}

export type Fields = { readonly [key: string]: Json };

/** The fields of an object, or none. */
export function fieldsOf(value: Json | undefined): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Fields : {};
}

export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value as readonly Json[] : [];
}

export function textField(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A count of tokens; what is none counts as 0. */
export function countOf(value: Json | undefined): number {
  const count = typeof value === "bigint" ? Number(value) : value;
  return typeof count === "number" && count > 0 ? Math.floor(count) : 0;
}

/** The schema of a tool as providers take it; an empty Lua table that was to be a list is left out. */
export function schemaOf(schema: Json | undefined): Fields {
  const { required, ...rest } = fieldsOf(schema);
  return { type: "object", ...rest, ...(Array.isArray(required) ? { required } : {}) };
}
