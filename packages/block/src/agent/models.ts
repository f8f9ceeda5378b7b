/**
 * Which model a run speaks to: provider, host, key and model from its options, else from the environment.
 *
 * The grant `model` opens the provider's configured host and the provider's own variables to the loop. A
 * base URL that the script names needs a `net:` grant, and the configured key does not go there unless the
 * script may read it itself.
 */
import {
  type BlockLimits, type Clock, emptyTrace, type Ids, newSpanId, traceHeaders,
} from "@atoll-run/core";
import type { HttpClient } from "../bridges/http/client.ts";
import { blockError } from "../errors.ts";
import type { GrantGate, NetRule } from "../grants/gate.ts";
import { anthropic } from "./anthropic.ts";
import { httpModel } from "./http-model.ts";
import type { ModelPort } from "./model-port.ts";
import type { CallTrace, Spans } from "../observe/spans.ts";
import type { Observe } from "./observe.ts";
import { openai } from "./openai.ts";
import type { Provider } from "./provider.ts";

export interface ModelChoice {
  /** Default `anthropic`. */
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
  /** Variable that holds the key. */
  readonly apiKeyEnv?: string | undefined;
  /** Milliseconds of one call, retries included; default 120,000. */
  readonly timeoutMs?: number | undefined;
  /** Default 2. */
  readonly retries?: number | undefined;
  readonly trace?: Partial<CallTrace> | undefined;
}

export interface ModelsParts {
  readonly gate: Pick<GrantGate, "url" | "restricted">;
  /** True when the grants hold `model`, or are `all`. */
  readonly granted: boolean;
  /** The block's environment as its host gave it. */
  readonly configured: Readonly<Record<string, string>>;
  /** A variable as the script sees it. */
  readonly env: (name: string) => string | undefined;
  /** Made at the first call, with the gate to ask before it connects. */
  readonly client: (gate: Pick<GrantGate, "url">) => HttpClient;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly observe?: Observe;
  readonly spans?: Spans | undefined;
  /** Hears each key before it is used, so that nothing prints it. */
  readonly secret?: (key: string) => void;
}

export type ModelsLimits = Pick<BlockLimits, "httpBodyBytesMax" | "sseEventBytesMax">;

/** In the order in which a key is looked for. */
export const PROVIDERS: Readonly<Record<string, Provider>> = { anthropic, openai };
export const MODEL_MS = 120_000;
const RETRIES = 2;

/** Gives the model of a choice. Throws `agent.invalid` for a provider nobody knows, `model.no_key`. */
export type Models = (choice: ModelChoice) => ModelPort;

export function createModels(parts: ModelsParts, limits: ModelsLimits): Models {
  const variable = (name: string): string | undefined => {
    const value = parts.granted ? parts.configured[name] ?? parts.env(name) : parts.env(name);
    // a script of an unrestricted run may set its own
    return nonEmpty(parts.gate.restricted ? value : parts.env(name));
  };
  const configuredUrl = (provider: Provider): string => variable(provider.baseUrlVariable)
    ?? provider.defaultBaseUrl;
  const isConfigured = (url: URL): boolean => parts.granted
    && Object.values(PROVIDERS).some((provider) => URL.parse(configuredUrl(provider))?.origin === url.origin);
  const gate: Pick<GrantGate, "url"> = {
    url: (url) => (parts.gate.restricted && isConfigured(url) ? ANY_ADDRESS : parts.gate.url(url)),
  };
  let client: HttpClient | undefined;
  return (choice) => {
    const id = choice.provider ?? "anthropic";
    const provider = Object.hasOwn(PROVIDERS, id) ? PROVIDERS[id] as Provider : unknown(id);
    const baseUrl = choice.baseUrl ?? configuredUrl(provider);
    const url = URL.parse(baseUrl);
    const trusted = !parts.gate.restricted || (url !== null && isConfigured(url));
    const key = nonEmpty(choice.apiKey) ?? keyOf(provider, choice.apiKeyEnv, trusted ? variable : parts.env);
    parts.secret?.(key);
    client ??= parts.client(gate);
    const trace = { ...emptyTrace(), ...choice.trace, span_id: newSpanId(parts.ids) };
    return httpModel(provider, {
      model: nonEmpty(choice.model) ?? variable(provider.modelVariable) ?? provider.defaultModel, baseUrl,
      key,
      timeoutMs: choice.timeoutMs ?? MODEL_MS, retries: choice.retries ?? RETRIES,
      headers: traceHeaders(trace), trace,
    }, {
      gate, client, clock: parts.clock, observe: parts.observe, spans: parts.spans,
      random: () => Number.parseInt(parts.ids.uuid4().slice(0, 8), 16) / 2 ** 32,
      newId: () => `call_${parts.ids.uuid4().replaceAll("-", "")}`,
    }, limits);
  };
}

const ANY_ADDRESS: NetRule = { address: () => undefined };

function unknown(id: string): never {
  const text = `unknown provider '${id}' (expected 'anthropic' or 'openai')`;
  throw blockError(
    "agent.invalid", text,
    { facts: { provider: id }, hint: "Use provider=\"openai\" with base_url for compatible servers." },
  );
}

function keyOf(
  provider: Provider, named: string | undefined, variable: (name: string) => string | undefined,
): string {
  const name = named ?? provider.keyVariable;
  const key = nonEmpty(variable(name));
  if (key !== undefined) return key;
  const text = named === undefined ? provider.keyMissing : `API key not set: env=${named}`;
  throw blockError(
    "model.no_key", text, { facts: { variable: name }, hint: `Set ${name}, or give api_key.` },
  );
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text;
}
