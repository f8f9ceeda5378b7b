/**
 * A model on this machine: a local server that speaks Anthropic Messages and OpenAI Chat Completions.
 *
 * takes a script, a function, a recording, or the address of a real provider; gives the answers they say;
 * promises the same bytes for the same requests in the same order; refuses, unless told not to, what the real
 * services refuse, in their words; never keeps a key in a recording.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseJson } from "@atoll-run/core";
import { anthropic } from "./anthropic.ts";
import { type Answer, answerTurn, failureAnswer } from "./answer.ts";
import { type Dialect, isObject, type MockAsk, textOf } from "./dialect.ts";
import { openai } from "./openai.ts";
import { Masker, type MockExchange, Replay, type ReplayMatch } from "./recording.ts";
import type { MockApi, MockFailure, MockScript, MockTurn } from "./script.ts";
import { sendAnswer } from "./send.ts";
import { type MockTurns, scriptTurns } from "./turns.ts";
import { passOn } from "./upstream.ts";

/** As the real services: a larger request gets 413. */
const BODY_BYTES_MAX = 32 * 1_048_576;
/** Requests that are kept for a test to look at; the oldest go first. */
const KEPT_DEFAULT = 1_000;

/** Answers from code. `count` is 1 for the first request. undefined = no turn fits. */
export type MockAnswerer = (ask: MockAsk, count: number) =>
  MockTurn | undefined | Promise<MockTurn | undefined>;

export interface MockModelOptions {
  /** What it says; exactly one of `script`, `replay`, `record` is given. */
  readonly script?: MockScript | MockAnswerer;
  readonly replay?: { readonly exchanges: readonly MockExchange[]; readonly match?: ReplayMatch };
  /** Stands before a real provider; `save` gets each exchange when it is over, secrets masked. */
  readonly record?: { readonly upstream: string; readonly save: (exchange: MockExchange) => void };
  /** Default 127.0.0.1, and a free port. */
  readonly host?: string;
  readonly port?: number;
  /** Values that no recording may hold, beside the keys of the requests. */
  readonly secrets?: readonly string[];
  /** Refuse what the real services refuse; wins over the script's word. Default true. */
  readonly strict?: boolean;
  /** How many requests `requests` keeps; default 1,000. */
  readonly keep?: number;
  /** Hears of each request once its answer is decided. Contract: returns at once. */
  readonly onRequest?: (request: MockRequest) => void;
}

/** A request as it came, keys and all, and what became of it. */
export interface MockRequest {
  readonly api: MockApi;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: MockAsk["body"];
  readonly text: string;
  /** Status of the answer; 0 when not one byte was sent. */
  readonly status: number;
  readonly request_id: string;
  /** Why it was refused. */
  readonly refused?: string;
}

export interface MockModel extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`: base URL for Anthropic, and with or without `/v1` for OpenAI. */
  readonly url: string;
  readonly requests: readonly MockRequest[];
  /** How many came in all. */
  readonly count: number;
  /** Turns or recorded exchanges that must still be used. */
  left(): number;
  /** Cuts what is open and frees the port. */
  close(): Promise<void>;
}

/** Starts the server; rejects when the port is taken. */
export async function startMockModel(o: MockModelOptions): Promise<MockModel> {
  const mock = new Mock(o);
  await mock.listen(o.port ?? 0, o.host ?? "127.0.0.1");
  return mock;
}

const ROUTES: readonly (readonly [path: RegExp, dialect: Dialect])[] = [
  [/^\/v1\/messages$/, anthropic], [/^(\/v1)?\/chat\/completions$/, openai],
];

interface Decision {
  readonly answer: Answer;
  readonly delayMs: number;
  readonly refused?: string;
}

class Mock implements MockModel {
  readonly requests: MockRequest[] = [];
  count = 0;
  readonly #o: MockModelOptions;
  readonly #server: Server;
  readonly #closing = new AbortController();
  readonly #masker: Masker;
  readonly #turns: MockTurns | undefined;
  readonly #replay: Replay | undefined;
  readonly #ids = new Map<string, number>();
  #url = "";

  constructor(o: MockModelOptions) {
    this.#o = o;
    this.#masker = new Masker(o.secrets);
    if (o.replay !== undefined) this.#replay = new Replay(o.replay.exchanges, o.replay.match ?? "body",
      this.#masker);
    this.#turns = typeof o.script === "object" ? scriptTurns(o.script.turns) : undefined;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        // A client that went away is its own affair; anything else is a bug and must be seen.
        if (!response.destroyed) response.destroy(error as Error);
      });
    });
  }

  get url(): string {
    return this.#url;
  }

  left(): number {
    return this.#turns?.left() ?? this.#replay?.left ?? 0;
  }

  async listen(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => resolve());
    });
    const { port: taken } = this.#server.address() as AddressInfo;
    this.#url = `http://${host.includes(":") ? `[${host}]` : host}:${taken}`;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the mock model is closed"));
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "/";
    const route = ROUTES.find(([pattern]) => pattern.test(path.replace(/\?.*$/, "")));
    const dialect = route?.[1] ?? (request.headers["anthropic-version"] === undefined ? openai : anthropic);
    const requestId = this.#id("req");
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) =>
      [name, String(value)]));
    const text = await bodyOf(request);
    const ask = askOf(dialect, { path, headers, text: text ?? "" });
    const refuse = (failure: MockFailure): Decision => ({
      answer: failureAnswer(failure, { dialect, ask, id: this.#id, requestId }), delayMs: 0,
      refused: failure.message ?? "",
    });
    const sends = (decision: Decision): Promise<void> => {
      this.#note({ ask, requestId, status: decision.answer.head ? decision.answer.status : 0,
        ...(decision.refused === undefined ? {} : { refused: decision.refused }) });
      const { answer, delayMs } = decision;
      return sendAnswer(answer, response, { delayMs, signal: this.#closing.signal });
    };
    if (route === undefined) {
      return await sends(refuse({ status: 404, message: `mock model: there is no ${path}`, code: "" }));
    }
    if (request.method !== "POST") {
      return await sends(refuse({ status: 405, message: "Method Not Allowed", code: "" }));
    }
    if (text === undefined) return await sends(refuse({ status: 413 }));
    this.#masker.learn(headers, path);
    if (this.#o.record !== undefined) {
      return await this.#pass({ ask, requestId, response, request, refuse, sends });
    }
    const problem = this.#check(dialect, ask);
    await sends(problem === undefined ? await this.#decide(dialect, ask, requestId, refuse)
      : refuse(problem));
  }

  /** What the service would say before it looks at its model. */
  #check(dialect: Dialect, ask: MockAsk): MockFailure | undefined {
    const script = typeof this.#o.script === "object" ? this.#o.script : undefined;
    const key = dialect.keyOf(ask.headers);
    const strict = this.#o.strict ?? script?.strict ?? true;
    if (key === undefined && strict) return dialect.missingKey;
    if (script?.keys !== undefined && !script.keys.includes(key ?? "")) return dialect.wrongKey;
    const parsed = parseJson(ask.text);
    if (!parsed.ok || !isObject(parsed.value)) {
      return { status: 400,
        message: `The request body is not valid JSON: ${parsed.ok ? "no object" : parsed.problem}` };
    }
    const refusal = strict && this.#replay === undefined ? dialect.check(ask) : undefined;
    if (refusal !== undefined) return refusal;
    return script?.models?.includes(ask.model) === false ? dialect.noModel(ask.model) : undefined;
  }

  async #decide(
    dialect: Dialect, ask: MockAsk, requestId: string, refuse: (failure: MockFailure) => Decision,
  ): Promise<Decision> {
    if (this.#replay !== undefined) {
      const found = this.#replay.next(ask.path, ask.body);
      if ("problem" in found) return refuse({ status: 400, message: `mock model: ${found.problem}`,
        code: "" });
      return { answer: recorded(found.exchange), delayMs: 0 };
    }
    const { script } = this.#o;
    const turn = typeof script === "function" ? await script(ask, this.count + 1) : this.#turns?.next(ask);
    if (turn === undefined) {
      const message = `mock model: no turn of the script fits request ${this.count + 1} (${ask.messages.length} messages)`;
      return refuse({ status: 400, message, code: "" });
    }
    return { answer: answerTurn(turn, { dialect, ask, id: this.#id, requestId }),
      delayMs: turn.delay_ms ?? 0 };
  }

  async #pass(parts: {
    ask: MockAsk; requestId: string; request: IncomingMessage; response: ServerResponse;
    refuse: (failure: MockFailure) => Decision; sends: (decision: Decision) => Promise<void>;
  }): Promise<void> {
    const { ask, requestId, request, response } = parts;
    const { upstream = "", save } = this.#o.record ?? {};
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    let passed;
    try {
      passed = await passOn({
        upstream, path: ask.path, headers: request.headers, text: ask.text, response,
        signal: AbortSignal.any([gone.signal, this.#closing.signal]),
      });
    } catch (error) {
      const { cause, message } = error as Error;
      const why = this.#masker.text((cause as Error | undefined)?.message ?? message);
      return await parts.sends(parts.refuse({ status: 502,
        message: `mock model: the provider cannot be reached: ${why}` }));
    }
    const { status, headers, body, cut } = passed;
    this.#note({ ask, requestId, status });
    save?.(this.#masker.exchange({
      request: { path: ask.path, headers: ask.headers, body: ask.body },
      response: { status, headers, body, ...(cut ? { cut } : {}) },
    }));
  }

  #note(
    { ask, requestId, status, refused }: { ask: MockAsk; requestId: string; status: number; refused?: string },
  ): void {
    const { api, path, headers, body, text } = ask;
    const request: MockRequest = { api, path, headers, body, text, status, request_id: requestId,
      ...(refused === undefined ? {} : { refused }) };
    this.count++;
    this.requests.push(request);
    if (this.requests.length > (this.#o.keep ?? KEPT_DEFAULT)) this.requests.shift();
    this.#o.onRequest?.(request);
  }

  readonly #id = (kind: string): string => {
    const next = (this.#ids.get(kind) ?? 0) + 1;
    this.#ids.set(kind, next);
    return `${kind}_mock${String(next).padStart(6, "0")}`;
  };
}

/** undefined when it is too large; what is left is thrown away. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
    else chunks.length = 0;
  }
  return bytes > BODY_BYTES_MAX ? undefined : Buffer.concat(chunks).toString("utf8");
}

function askOf(dialect: Dialect, got: Pick<MockAsk, "path" | "headers" | "text">): MockAsk {
  const parsed = parseJson(got.text);
  const body = parsed.ok && isObject(parsed.value) ? parsed.value : {};
  return { ...got, api: dialect.api, body, model: textOf(body["model"]), stream: body["stream"] === true,
    ...dialect.view(body) };
}

/** A recorded answer; the events of a stream go out one by one. */
function recorded({ response }: MockExchange): Answer {
  const isStream = (response.headers["content-type"] ?? "").startsWith("text/event-stream");
  return {
    status: response.status, headers: response.headers, partDelayMs: 0, head: true,
    parts: isStream ? response.body.split(/(?<=\r?\n\r?\n)/) : [response.body],
    ending: response.cut === true ? "drop" : "end",
  };
}
