/**
 * Recordings: what a real provider answered, kept without secrets, one JSON text a line. The first line says
 * what the file is. Replaying finds an exchange by path and body, or by order.
 */
import { isSecretKey, type Json, parseJson, REDACTED, Redactor, stringifyJson } from "@atoll-run/core";
import { isObject, type JsonObject } from "./dialect.ts";

export const RECORDING_HEAD = JSON.stringify({ atoll_recording: 1 });

type Headers = Readonly<Record<string, string>>;

export interface MockExchange {
  readonly request: { readonly path: string; readonly headers: Headers; readonly body: Json };
  readonly response: {
    readonly status: number;
    readonly headers: Headers;
    readonly body: string;
    /** The connection ended before the answer did. */
    readonly cut?: boolean;
  };
}

/** Request headers that are kept; those that carry keys only by name. */
const REQUEST_HEADERS = ["content-type", "accept", "anthropic-version", "anthropic-beta", "openai-beta"];
const RESPONSE_HEADERS = ["content-type", "request-id", "x-request-id", "retry-after", "retry-after-ms"];

export class Masker {
  readonly #redactor = new Redactor();

  constructor(secrets: readonly string[] = []) {
    for (const secret of secrets) this.#redactor.add(secret);
  }

  /** Learns the keys that a request carries in headers and query. */
  learn(headers: Headers, path: string): void {
    for (const [name, value] of Object.entries(headers)) {
      if (!carriesKey(name)) continue;
      this.#redactor.add(value);
      this.#redactor.add(value.replace(/^\w+ /, ""));
    }
    for (const [name, value] of new URL(path, "http://mock").searchParams) {
      if (carriesKey(name)) this.#redactor.add(value);
    }
  }

  text(text: string): string {
    return this.#redactor.text(text);
  }

  /** Known secrets, and texts under names such as `authorization_token`. */
  json(value: Json): Json {
    return this.#redactor.json(maskKeys(value));
  }

  exchange({ request, response }: MockExchange): MockExchange {
    return {
      request: {
        path: this.text(pathOf(request.path)), body: this.json(request.body),
        headers: Object.fromEntries(Object.entries(request.headers).flatMap(([name, value]) => {
          if (carriesKey(name)) return [[name, REDACTED]];
          return REQUEST_HEADERS.includes(name) ? [[name, this.text(value)]] : [];
        })),
      },
      response: { ...response, body: this.text(response.body),
        headers: Object.fromEntries(Object.entries(response.headers).flatMap(([name, value]) =>
          (RESPONSE_HEADERS.includes(name) ? [[name, this.text(value)]] : []))) },
    };
  }
}

function carriesKey(name: string): boolean {
  return isSecretKey(name) || /(^|[-_])key$/i.test(name);
}

function maskKeys(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(maskKeys);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) =>
    [name, typeof item === "string" && carriesKey(name) ? REDACTED : maskKeys(item)]));
}

/** Without the query, which may hold keys. */
export function pathOf(path: string): string {
  return new URL(path, "http://mock").pathname;
}

export type RecordingReading =
  | { readonly ok: true; readonly exchanges: readonly MockExchange[] } | { readonly ok: false; readonly problem: string };

/** Is this text a recording, and not a script? */
export function isRecording(text: string): boolean {
  return text.startsWith(RECORDING_HEAD);
}

export function readRecording(text: string): RecordingReading {
  const [head, ...lines] = text.split("\n");
  if (head !== RECORDING_HEAD) return { ok: false, problem: "line 1: this is no recording" };
  const exchanges: MockExchange[] = [];
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const read = parseJson(line);
    if (!read.ok) return { ok: false, problem: `line ${i + 2}: ${read.problem}` };
    const { request, response } = isObject(read.value) ? read.value : {} as JsonObject;
    if (!isObject(request) || !isObject(response) || typeof response["body"] !== "string"
      || typeof response["status"] !== "number" || typeof request["path"] !== "string") {
      return { ok: false, problem: `line ${i + 2}: this is no exchange` };
    }
    exchanges.push(read.value as unknown as MockExchange);
  }
  return { ok: true, exchanges };
}

export type ReplayMatch = "body" | "order";
export type Found = { readonly exchange: MockExchange } | { readonly problem: string };

/** Gives each exchange once. */
export class Replay {
  readonly #left: MockExchange[];
  readonly #match: ReplayMatch;
  readonly #masker: Masker;

  constructor(exchanges: readonly MockExchange[], match: ReplayMatch, masker: Masker) {
    this.#left = [...exchanges];
    this.#match = match;
    this.#masker = masker;
  }

  get left(): number {
    return this.#left.length;
  }

  next(path: string, body: Json): Found {
    const masked = this.#masker.json(body);
    const text = canonical(masked);
    const same = ({ request }: MockExchange): boolean => request.path === pathOf(path);
    const at = this.#left.findIndex((one) => same(one) && (this.#match === "order"
      || canonical(one.request.body) === text));
    const [exchange] = at < 0 ? [] : this.#left.splice(at, 1);
    if (exchange !== undefined) return { exchange };
    const near = this.#left.find(same);
    if (near === undefined) return { problem: `no more answers for ${pathOf(path)} are recorded` };
    return { problem: `the request is not in the recording; the next one there differs at `
      + `${differenceOf(near.request.body, masked, "body") ?? "body"}` };
  }
}

function canonical(value: Json): string {
  const written = stringifyJson(value);
  return written.ok ? written.text : "";
}

/** The first place where two values differ. */
function differenceOf(a: Json | undefined, b: Json | undefined, where: string): string | undefined {
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      const found = differenceOf(a[i] as Json | undefined, b[i] as Json | undefined, `${where}[${i}]`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (isObject(a) && isObject(b)) {
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const found = differenceOf(a[name], b[name], `${where}.${name}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return a === b ? undefined : where;
}
