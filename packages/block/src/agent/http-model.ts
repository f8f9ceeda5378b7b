/**
 * A model behind HTTP. takes requests; gives whole replies, or their pieces as they come; promises that
 * timeout covers a call with its retries and that a key is never in an error; refuses with `model.*` and
 * `http.*`; never follows redirects, so that a key goes only to the host that was named.
 */
import {
  type BlockLimits, type Clock, Deadline, isFault, type Json, maskUrl, parseJson, sleep, SseDecoder,
  stringifyJson, withDeadline,
} from "@atoll-run/core";
import { type HttpClient, type HttpReply, isConnectError } from "../bridges/http/client.ts";
import { ACCEPT_ENCODING, decoded, headerOf } from "../bridges/http/decode.ts";
import { type BlockCode, blockError } from "../errors.ts";
import type { GrantGate } from "../grants/gate.ts";
import { apiError, replyError, saidIn } from "./failures.ts";
import type { ModelCall, ModelPort, ModelReply, ModelRequest } from "./model-port.ts";
import { type CallTrace, knownTraceparent, NO_SPANS, type SpanPlan, type Spans } from "../observe/spans.ts";
import type { Observe, Sending } from "./observe.ts";
import type { Provider } from "./provider.ts";
import { mayRetry, retryAfter, retryDelay } from "./retry.ts";
import { summaryOf } from "./usage.ts";

export interface ModelSettings {
  readonly model: string;
  readonly baseUrl: string;
  readonly key: string;
  /** Of one call, retries included. */
  readonly timeoutMs: number;
  readonly retries: number;
  /** Sent along; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whose span a call is inside of. */
  readonly trace: CallTrace;
}

export interface HttpModelParts {
  readonly gate: Pick<GrantGate, "url">;
  readonly client: HttpClient;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly newId: () => string;
  readonly observe?: Observe | undefined;
  readonly spans?: Spans | undefined;
}

export type HttpModelLimits = Pick<BlockLimits, "httpBodyBytesMax" | "sseEventBytesMax">;

/** JSON of a body may be deeper than that of a tool's input: it has the input inside. */
const BODY_DEPTH_MAX = 256;

export function httpModel(
  provider: Provider, settings: ModelSettings, parts: HttpModelParts, limits: HttpModelLimits,
): ModelPort {
  const url = URL.parse(settings.baseUrl.replace(/\/+$/, "") + provider.path);
  return {
    provider: provider.id, model: settings.model,
    call: (request, o) => {
      if (url === null) return Promise.reject(blockError("http.invalid", "http request error: invalid URL"));
      const { spans = NO_SPANS } = parts;
      return spans.around(settings.trace, chatSpan(provider.id, settings.model),
        (trace) => new Calling({ provider, settings: told(settings, trace), parts, limits, url }, request, o).run());
    },
  };
}

function chatSpan(provider: string, model: string): SpanPlan<ModelReply> {
  return {
    name: `chat ${model}`, side: "client",
    attributes: { "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model },
    told: (reply) => {
      const { usage_in, usage_out, stop_reason } = summaryOf(reply);
      return {
        "gen_ai.usage.input_tokens": usage_in, "gen_ai.usage.output_tokens": usage_out,
        "gen_ai.response.finish_reasons": [stop_reason],
      };
    },
  };
}

/** The provider is told of the span around the call. */
function told(settings: ModelSettings, trace: CallTrace): ModelSettings {
  const traceparent = trace.span === undefined ? undefined : knownTraceparent(trace);
  return traceparent === undefined ? settings : { ...settings, headers: { ...settings.headers, traceparent } };
}

interface Setting {
  readonly provider: Provider;
  readonly settings: ModelSettings;
  readonly parts: HttpModelParts;
  readonly limits: HttpModelLimits;
  readonly url: URL;
}

class Calling {
  readonly #s: Setting;
  readonly #o: ModelCall;
  readonly #request: ModelRequest;
  readonly #headers: readonly (readonly [string, string])[];
  readonly #body: string;
  /** True from the first piece on that was handed out: a second try would repeat it. */
  #told = false;

  constructor(s: Setting, request: ModelRequest, o: ModelCall) {
    this.#s = s;
    this.#o = o;
    this.#request = request;
    const written = stringifyJson(
      s.provider.body(s.settings.model, request, streams(o)), { depthMax: BODY_DEPTH_MAX },
    );
    if (!written.ok) throw blockError("json.encode", `model request: ${written.problem} at ${written.at}`);
    this.#body = written.text;
    this.#headers = Object.entries({
      "content-type": "application/json",
      accept: streams(o) ? "text/event-stream" : "application/json",
      "accept-encoding": ACCEPT_ENCODING, "user-agent": "atoll", ...s.settings.headers,
      ...s.provider.headers(s.settings.key, request),
    });
  }

  async run(): Promise<ModelReply> {
    const { settings, parts: { clock } } = this.#s;
    const deadline = new Deadline(clock, settings.timeoutMs);
    try {
      return await withDeadline(
        (signal) => this.#tries(signal, deadline), { clock, ms: settings.timeoutMs, signal: this.#o.signal },
      );
    } catch (error) {
      if (this.#o.signal.aborted) throw this.#o.signal.reason;
      throw this.#clean(isFault(error) && error.code === "core.timed_out" ? this.#late(error) : error);
    }
  }

  async #tries(signal: AbortSignal, deadline: Deadline): Promise<ModelReply> {
    const { settings, parts } = this.#s;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(signal, attempt);
      } catch (error) {
        const told = againAfter(error);
        if (this.#told || told === "never" || attempt > settings.retries) throw error;
        const ms = retryDelay(attempt, told, parts.random);
        // an answer now is worth more than "too late" then
        if (ms >= deadline.leftMs()) throw error;
        this.#o.overhears?.(undefined);
        await sleep(ms, { clock: parts.clock, signal });
      }
    }
  }

  async #once(signal: AbortSignal, attempt: number): Promise<ModelReply> {
    const { provider, parts, limits, url } = this.#s;
    const begun = parts.clock.monotonic();
    this.#observe(attempt);
    let stage: Stage = "request";
    let reply: HttpReply | undefined;
    try {
      parts.gate.url(url);
      const send = { method: "POST", url, headers: this.#headers, body: this.#body };
      reply = decoded(await parts.client.send(send, { signal }), "POST");
      const { status } = reply;
      const latency_ms = Math.round(parts.clock.monotonic() - begun);
      const failed = status < 200 || status > 299;
      stage = "body";
      if (!failed && streams(this.#o) && isEventStream(reply)) {
        const { headers } = reply;
        parts.observe?.({ what: "response", ...this.#about(attempt), status, latency_ms, headers, body: undefined });
        stage = "stream";
        return await this.#streamed(reply, limits);
      }
      const text = await readText(reply, limits.httpBodyBytesMax);
      parts.observe?.(
        { what: "response", ...this.#about(attempt), status, latency_ms, headers: reply.headers, body: text },
      );
      const parsed = parseJson(text, { depthMax: BODY_DEPTH_MAX });
      if (failed) throw this.#refused(reply, parsed.ok ? parsed.value : undefined);
      if (!parsed.ok) throw replyError(provider.notJson, { problem: parsed.problem });
      return provider.readReply(parsed.value, parts.newId);
    } catch (error) {
      throw networkError(error, stage);
    } finally {
      reply?.close();
    }
  }

  #refused(reply: HttpReply, body: Json | undefined): Error {
    const header = (name: string): string | undefined => headerOf(reply.headers, name);
    const said = saidIn(body);
    const id = header("request-id") ?? header("x-request-id");
    const after = mayRetry(reply.status) ? retryAfter(header, this.#s.parts.clock.now()) : undefined;
    return apiError(reply.status, { ...(id === undefined ? {} : { request_id: id }), ...said }, after);
  }

  async #streamed(reply: HttpReply, limits: HttpModelLimits): Promise<ModelReply> {
    const decoder = new SseDecoder(limits.sseEventBytesMax);
    const stream = this.#s.provider.stream(this.#s.parts.newId);
    let bytes = 0;
    const take = async (events: ReturnType<SseDecoder["push"]>): Promise<boolean> => {
      for (const event of events) {
        if (event.data === "[DONE]") return true;
        for (const delta of stream.push(event)) {
          this.#o.overhears?.(delta);
          if (this.#o.onDelta === undefined) continue;
          this.#told = true;
          await this.#o.onDelta(delta);
        }
      }
      return false;
    };
    for await (const piece of reply.body) {
      bytes += piece.length;
      if (bytes > limits.httpBodyBytesMax) throw tooLarge(bytes, limits.httpBodyBytesMax);
      if (await take(decoder.push(piece))) return stream.end();
    }
    await take(decoder.end());
    return stream.end();
  }

  #late(cause: Error): Error {
    const { settings, url } = this.#s;
    const text = `http timeout after ${settings.timeoutMs / 1_000}s: POST ${maskUrl(url.href)}`;
    return blockError("http.timeout", text, { facts: { ms: settings.timeoutMs }, cause });
  }

  /** A provider may repeat the key it refuses. */
  #clean(error: unknown): unknown {
    const { key } = this.#s.settings;
    if (!isFault(error) || key.length < 4) return error;
    const hide = (value: unknown): unknown => (
      typeof value === "string" ? value.replaceAll(key, "[REDACTED]") : value
    );
    if (!Object.values({ ...error.facts, text: error.message }).some((value) => hide(value) !== value)) {
      return error;
    }
    const facts = Object.fromEntries(Object.entries(error.facts).map(([name, value]) => [name, hide(value)]));
    return blockError(error.code as BlockCode, String(hide(error.message)), { facts, retry: error.retry });
  }

  #about(attempt: number): Sending {
    const { provider, settings: { model }, url } = this.#s;
    return { provider: provider.id, model, url: url.href, attempt, turn: 1, iteration: 0, ...this.#o.about };
  }

  #observe(attempt: number): void {
    const { settings, parts } = this.#s;
    if (parts.observe === undefined) return;
    const { messages, tools, maxTokens, contextManagement } = this.#request;
    const headers = this.#headers.map(([name, value]) =>
      [name, settings.key === "" ? value : value.replaceAll(settings.key, "[REDACTED]")] as const);
    parts.observe({
      what: "request", ...this.#about(attempt), messages: messages.length, tools: tools.length,
      max_tokens: maxTokens,
      timeout_ms: settings.timeoutMs, context_management: contextManagement !== undefined, headers,
      body: this.#body,
    });
  }
}

function isEventStream(reply: HttpReply): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(headerOf(reply.headers, "content-type") ?? "");
}

type Stage = "request" | "body" | "stream";

const STAGES: Readonly<Record<Stage, readonly [BlockCode, string]>> = {
  request: ["http.request", "http request error"], body: ["http.body", "http read body error"],
  stream: ["http.body", "http stream read error"],
};

function networkError(error: unknown, stage: Stage): unknown {
  if (isFault(error) && error.code === "codec.too_large") {
    return blockError(
      "http.too_large", `http stream read error: ${error.message}`, { facts: error.facts, cause: error },
    );
  }
  if (isFault(error) && error.code !== "core.overloaded") return error;
  const first: unknown = error instanceof AggregateError ? error.errors[0] ?? error : error;
  const { message, code } = first as { message?: string; code?: string };
  const reason = message !== undefined && message !== "" ? message : code ?? String(first);
  const [kind, front] = isConnectError(error) ? ["http.connect", "http connection error"] as const
    : STAGES[stage];
  return blockError(kind, `${front}: ${reason}`, { facts: { reason }, cause: error });
}

/** Milliseconds that the server asked for, undefined when it left that to us. */
function againAfter(error: unknown): "never" | number | undefined {
  if (!isFault(error)) return "never";
  if (error.code === "http.connect") return undefined;
  return error.code === "model.api" && error.retry === "later" ? error.retry_after_ms : "never";
}

function tooLarge(bytes: number, limit: number): Error {
  return blockError(
    "http.too_large", `response body too large: ${bytes} bytes (max ${limit})`, { facts: { bytes, limit } },
  );
}

async function readText(reply: HttpReply, limit: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of reply.body) {
    bytes += piece.length;
    if (bytes > limit) throw tooLarge(bytes, limit);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, bytes).toString("utf8");
}

/** Somebody wants it as it comes. */
const streams = ({ onDelta, overhears }: ModelCall): boolean => onDelta !== undefined || overhears !== undefined;
