/** Arguments of `http.request`. */
import { type BlockLimits, type Ids, traceHeaders } from "@atoll-run/core";
import { blockError } from "../../errors.ts";
import { type CallTrace, outgoingTraceparent } from "../../observe/spans.ts";
import { readBytes, readFields, readFlag, readNumber, readText, wrongType } from "../arguments.ts";
import type { Value } from "../op.ts";
import type { HttpSend } from "./client.ts";
import { ACCEPT_ENCODING } from "./decode.ts";

export interface HttpOptions {
  readonly send: HttpSend;
  /** `Infinity` = none. */
  readonly timeoutMs: number;
  readonly maxBody: number;
  readonly redirects: number;
  readonly decompress: boolean;
  /** Callback to give the body to, in stream mode. */
  readonly onData: number | undefined;
}

export interface HttpDefaults {
  readonly limits: Pick<BlockLimits, "httpBodyBytesMax" | "httpMs" | "httpRedirectsMax">;
  /** The default of `max_body` is also its bound. */
  readonly capped: boolean;
  readonly trace: CallTrace;
  readonly ids: Ids;
}

type Headers = [string, string][];

/** What a method or a header name may be made of. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Throws `script.argument` or `http.invalid`. */
export function readHttpOptions(target: Value, opts: Value, defaults: HttpDefaults): HttpOptions {
  const { limits } = defaults;
  const fields = readFields("http.request: opts", opts);
  const where = (name: string): string => `http.request: opts.${name}`;
  const url = readUrl(target);
  const headers = readHeaders(where("headers"), fields["headers"]);
  const decompress = readFlag(where("decompress"), fields["decompress"], true);
  addDefaults(headers, url, decompress, defaults);
  url.username = url.password = url.hash = "";
  const seconds = readSize(where("timeout"), fields["timeout"]);
  const maxBody = readSize(where("max_body"), fields["max_body"]) ?? limits.httpBodyBytesMax;
  return {
    send: {
      method: readMethod(where("method"), fields["method"]), url, headers,
      body: readBytes(where("body"), fields["body"]),
    },
    timeoutMs: seconds === undefined ? limits.httpMs : seconds * 1_000,
    maxBody: defaults.capped ? Math.min(maxBody, limits.httpBodyBytesMax) : maxBody,
    redirects: readRedirects(where("redirect"), fields["redirect"], limits.httpRedirectsMax),
    decompress,
    onData: readFlag(where("stream"), fields["stream"], false) ? readCallback(fields["on_data"]) : undefined,
  };
}

function invalid(reason: string): Error {
  return blockError("http.invalid", reason, { facts: { reason } });
}

function readUrl(value: Value): URL {
  const text = readText("http.request: argument #1", value)
    ?? wrongType("http.request: argument #1", "string", value);
  const url = URL.parse(text);
  if (url === null) throw invalid("http request error: invalid URL");
  return url;
}

function readMethod(where: string, value: Value): string {
  const method = readText(where, value) ?? "GET";
  if (!TOKEN.test(method)) throw invalid(`invalid HTTP method '${method}': not a token`);
  const upper = method.toUpperCase();
  if (upper === "CONNECT") throw invalid(`invalid HTTP method '${method}': tunnels are not supported`);
  return upper;
}

function readSize(where: string, value: Value): number | undefined {
  const number = readNumber(where, value);
  if (number === undefined || number >= 0) return number;
  throw blockError("script.argument", `${where} must not be negative, got ${number}`);
}

function readRedirects(where: string, value: Value, absent: number): number {
  if (typeof value === "boolean") return value ? absent : 0;
  return Math.floor(readSize(where, value) ?? absent);
}

function readCallback(value: Value): number {
  if (typeof value === "number") return value;
  throw invalid("http.request: stream needs an on_data function");
}

/** A table of names to texts or lists of texts. */
function readHeaders(where: string, value: Value): Headers {
  const headers: Headers = [];
  for (const [name, item] of Object.entries(readFields(where, value))) {
    if (!TOKEN.test(name)) throw invalid(`http request error: invalid header name '${name}'`);
    for (const one of Array.isArray(item) ? item as readonly Value[] : [item]) {
      headers.push([name, readHeader(`${where}['${name}']`, name, one)]);
    }
  }
  return headers;
}

function readHeader(where: string, name: string, value: Value): string {
  const bytes = readBytes(where, value) ?? wrongType(where, "string", value);
  const text = Buffer.from(bytes).toString("latin1");
  if (/[\0\r\n]/.test(text)) throw invalid(`http request error: invalid value of header '${name}'`);
  return text;
}

/** What goes along unless the caller gave it. */
function addDefaults(headers: Headers, url: URL, decompress: boolean, { trace, ids }: HttpDefaults): void {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined && !given.has(name)) headers.push([name, value]);
  };
  put("accept", "*/*");
  put("user-agent", "atoll");
  if (decompress) put("accept-encoding", ACCEPT_ENCODING);
  if (url.username !== "" || url.password !== "") {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    put("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
  }
  const own = { ...traceHeaders(trace), traceparent: outgoingTraceparent(trace, ids) };
  for (const [name, value] of Object.entries(own)) put(name, value);
}
