/**
 * Every key of `atoll.toml`, declared once (spec: node 10): reading, checks and variables (`ATOLL_<SECTION>_<KEY>`) are
 * made from this table.
 */

export type Key =
  | { readonly is: "text" | "path"; readonly default?: string }
  /** Milliseconds; written `250ms`, `15m`. */
  | { readonly is: "duration"; readonly default?: number }
  /** Bytes; written `64KiB`. */
  | { readonly is: "size"; readonly default?: number }
  | { readonly is: "count" | "number"; readonly default?: number; readonly min?: number; readonly max?: number }
  | { readonly is: "flag"; readonly default?: boolean }
  | { readonly is: "choice"; readonly choices: readonly string[]; readonly default?: string }
  | { readonly is: "texts"; readonly choices?: readonly string[] };

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const MIB = 1_048_576;

export const SECTIONS = {
  node: {
    name: { is: "text" }, type: { is: "text", default: "local:Client:0.0.0" },
    kind: { is: "choice", choices: ["linked", "block"] }, entry: { is: "path" },
    concurrency: { is: "count", min: 1, max: 4_096 },
    order: { is: "choice", choices: ["none", "node"], default: "none" }, visible: { is: "flag", default: true },
    region: { is: "text" }, lat: { is: "number", min: -90, max: 90 }, lon: { is: "number", min: -180, max: 180 },
  },
  state: {
    dir: { is: "path", default: ".atoll" },
    durability: { is: "choice", choices: ["full", "normal"], default: "full" },
  },
  realm: {
    url: { is: "text" }, ais_url: { is: "text" }, signaling_url: { is: "text" },
    id: { is: "count", max: 0xffff_ffff }, secret_env: { is: "text" }, secret_file: { is: "path" },
  },
  listen: {
    websocket: { is: "text", default: "127.0.0.1:0" }, advertise: { is: "text" }, tls_cert: { is: "path" },
    tls_key: { is: "path" }, plain: { is: "choice", choices: ["loopback", "allow"], default: "loopback" },
    control: { is: "path" }, health: { is: "text" },
  },
  mailbox: {
    soft: { is: "count", default: 1_024 }, hard: { is: "count", default: 8_192 },
    hard_bytes: { is: "size", default: 256 * MIB }, per_sender: { is: "count", default: 2_048 },
    disk_floor: { is: "size", default: 256 * MIB }, dedup_ttl: { is: "duration", default: 10 * MINUTE },
    dedup_entries: { is: "count", default: 1_000_000 }, dedup_bytes: { is: "size", default: 1_024 * MIB },
    dead_letters: { is: "count", default: 10_000 }, dead_letter_bytes: { is: "size", default: 256 * MIB },
  },
  acl: { default: { is: "choice", choices: ["deny", "same-realm"], default: "deny" } },
  identity: {
    lead: { is: "duration", default: 5 * MINUTE }, grace: { is: "duration", default: 15 * MINUTE },
    on_lost: { is: "choice", choices: ["stop", "restart"], default: "stop" },
  },
  security: {
    bearer: { is: "choice", choices: ["loopback", "on", "off"], default: "loopback" },
    skew: { is: "duration", default: 60 * SECOND },
  },
  discovery: {
    candidates: { is: "count", default: 8, max: 64 }, ranking: { is: "texts", choices: ["power", "backlog", "exact", "nearest", "affinity"] },
    cache: { is: "duration", default: 30 * SECOND },
  },
  heartbeat: { interval: { is: "duration" } },
  telemetry: {
    otlp: { is: "text" }, service_name: { is: "text" }, sample: { is: "number", default: 1, min: 0, max: 1 },
    metrics: { is: "flag", default: true },
  },
  http: {
    port: { is: "count", default: 7_411, max: 65_535 }, host: { is: "text", default: "127.0.0.1" }, hosts: { is: "texts" },
    read_only: { is: "flag", default: false }, tls_cert: { is: "path" }, tls_key: { is: "path" }, trusted_proxies: { is: "texts" },
    oidc_issuer: { is: "text" }, oidc_audience: { is: "text" }, oidc_emails: { is: "texts" }, oidc_services: { is: "texts" },
  },
  log: {
    level: { is: "text" }, format: { is: "choice", choices: ["pretty", "json"], default: "pretty" },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Key>>>>;

/** A table of `routes."x"`. */
export const ROUTE_KEYS = {
  key: { is: "text" }, codec: { is: "choice", choices: ["json", "text", "bytes"] },
  order: { is: "choice", choices: ["key", "node"] }, attempts: { is: "count", max: 100 },
  backoff: { is: "duration" }, handler_limit: { is: "duration" }, ttl: { is: "duration" },
  volatile: { is: "flag" }, redeliver: { is: "choice", choices: ["always", "never"] },
  idempotent: { is: "flag" }, dedup_ttl: { is: "duration" },
} as const satisfies Readonly<Record<string, Key>>;

/** One of `[[acl.rules]]`. */
export const RULE_KEYS = {
  permission: { is: "choice", choices: ["allow", "deny"], default: "allow" },
  type: { is: "text", default: "*:*:*" }, realm: { is: "text", default: "self" }, node: { is: "text" },
  proof: { is: "choice", choices: ["key"] }, actions: { is: "texts" },
} as const satisfies Readonly<Record<string, Key>>;

/** Sections of later versions: accepted with a warning. Below: those, and what other tiers read. */
export const IDLE_SECTIONS: readonly string[] = ["webrtc", "trust", "workload"];
/** Single keys of later versions. Spans go to the SDK that a program registers: this one brings none. */
export const IDLE_KEYS: readonly string[] = ["telemetry.otlp", "telemetry.service_name", "telemetry.sample"];
export const OTHER_SECTIONS: readonly string[] = ["engine", "webrtc", "trust", "workload"];

type ValueOf<K> = K extends { is: "duration" | "size" | "count" | "number" } ? number
  : K extends { is: "flag" } ? boolean
    : K extends { is: "texts" } ? readonly string[]
      : K extends { choices: infer C extends readonly string[] } ? C[number] : string;

/** What a table of keys gives; a key without default may be missing. */
export type Values<T extends Readonly<Record<string, Key>>> = {
  readonly [N in keyof T]: T[N] extends { default: unknown } ? ValueOf<T[N]> : ValueOf<T[N]> | undefined;
};

/** The variable of a key: `ATOLL_LISTEN_TLS_CERT`. */
export function variableOf(section: string, key: string): string {
  return `${section}_${key}`.toUpperCase();
}
