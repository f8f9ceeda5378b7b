/**
 * A mob, called over HTTP (spec: mob 11.1).
 *
 * takes an address and a token; gives its methods with their types, and its stream; promises that what a mob says of an error is
 * what its caller catches; refuses to wait for ever; never keeps a connection that nobody uses for itself.
 */
import { withDeadline, type Clock } from "@atoll-run/core";
import { bindMethods } from "./bind.ts";
import { badAnswer, readError, unreachable } from "./client-error.ts";
import { machineClock } from "./clock.ts";
import { METHODS, type CallOptions, type MobApi, type MobMethods } from "./generated/methods.ts";
import { readStream, type StreamEvent, type StreamOptions } from "./stream.ts";

export interface ClientOptions {
  /** `http://127.0.0.1:7411`. */
  readonly url: string;
  /** A function is asked at each request. */
  readonly token: string | (() => string | Promise<string>);
  /** What an answer may take, milliseconds; default 75,000: methods that wait do so for a minute at most. */
  readonly timeoutMs?: number;
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
}

export type MobClient = MobApi & {
  /** A method by its name: `call("members/list", { state: "active" })`. */
  call<N extends keyof MobMethods>(name: N, params?: MobMethods[N]["params"], o?: CallOptions): Promise<MobMethods[N]["result"]>;
  /** Entries as they come, over connections that are lost. */
  stream(o?: StreamOptions): AsyncIterable<StreamEvent>;
};

const TIMEOUT_MS = 75_000;

/**
 * Opens nothing. Calls throw `ClientError` with the code of the mob, `client.unreachable`, `client.bad_answer`, or what the signal says.
 * @example const mob = createClient({ url, token }); await mob.send({ to: "scout", content: "src" });
 */
export function createClient({ url: given, token, timeoutMs = TIMEOUT_MS, fetch = globalThis.fetch, clock = machineClock }: ClientOptions): MobClient {
  const url = given.replace(/\/+$/, "");
  const headers = async (): Promise<Readonly<Record<string, string>>> => ({ authorization: `Bearer ${typeof token === "string" ? token : await token()}` });

  async function ask(name: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: `mob/${name}`, params: params ?? {} });
    const isWrite = !Object.hasOwn(METHODS, name) || METHODS[name as keyof MobMethods].writes;
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${url}/v1/rpc`, { method: "POST", headers: { ...await headers(), "content-type": "application/json" }, body, signal });
      text = await response.text();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw unreachable(url, error, isWrite);
    }
    const answer = readAnswer(text);
    const error = answer?.error === undefined ? undefined : readError(answer.error);
    if (error !== undefined) throw error;
    if (answer === undefined || !("result" in answer)) throw badAnswer(url, response.status);
    return answer.result;
  }

  const call = async (name: string, params?: unknown, { signal }: CallOptions = {}): Promise<unknown> =>
    await withDeadline((until) => ask(name, params, until), { clock, ms: timeoutMs, what: `mob/${name}`, ...signal === undefined ? {} : { signal } });
  return { ...bindMethods(call), call, stream: (o: StreamOptions = {}) => readStream({ url, headers, fetch, clock }, o) } as unknown as MobClient;
}

function readAnswer(text: string): { readonly result?: unknown; readonly error?: unknown } | undefined {
  try {
    const given: unknown = JSON.parse(text);
    return typeof given === "object" && given !== null ? given : undefined;
  } catch {
    return undefined;
  }
}
