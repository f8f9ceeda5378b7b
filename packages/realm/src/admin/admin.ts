/**
 * The admin API (spec: node 7.1, 8.6): what an operator may see and do.
 *
 * takes plain requests with the admin token; gives JSON; promises that every change is in the journal `audit`, in the
 * batch of the change itself; refuses with 401 without the token; never shows a secret again.
 */
import { formatType, isOwnType, parseJson, parseNodeId, parseType, type Log } from "@atoll-run/core";
import { jsonAnswer, refusedAnswer, textAnswer, type HttpAnswer, type HttpAsk } from "../http/message.ts";
import type { Invites } from "../identity/invites.ts";
import { rulesOf, type NodeRecord } from "../identity/node-record.ts";
import type { Packages } from "../identity/packages.ts";
import type { RealmRecord, Realms } from "../identity/realms.ts";
import type { SigningKeys } from "../identity/signing-keys.ts";
import type { RealmLimits } from "../limits.ts";
import { granted, refuse, type Answer } from "../refusal.ts";
import { isUp, type Entry } from "../registry/entry.ts";
import type { RealmStats } from "../stats.ts";
import { audit, fromBase64, put, toBase64 } from "../store/records.ts";
import { Fields } from "./fields.ts";
import { revoke, type RevokeParts } from "./revoke.ts";
import { readRules } from "./rules-json.ts";
import type { AdminToken } from "./token.ts";

export interface AdminParts extends RevokeParts {
  readonly token: AdminToken;
  readonly realms: Realms;
  readonly invites: Invites;
  readonly packages: Packages;
  readonly keys: SigningKeys;
  readonly log: Log;
  readonly stats: () => RealmStats;
}

type Handler = (fields: Fields) => Promise<Answer<unknown>>;

const PREFIX = "/admin/v1/";
const REALM_RANGE = { min: 0, max: 0xffff_ffff };

export class Admin {
  readonly #parts: AdminParts;
  readonly #limits: RealmLimits;
  readonly #handlers: Readonly<Record<string, Handler>>;

  constructor(parts: AdminParts, limits: RealmLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#handlers = {
      "GET realms": async () => granted({ realms: parts.realms.list().map(toRealm) }),
      "POST realms": (o) => this.#addRealm(o),
      "GET secrets": async () => granted({ realms: parts.realms.list().map(toRealm) }),
      "POST secrets": (o) => this.#rotateSecret(o),
      "POST invites": (o) => this.#invite(o), "POST packages": (o) => this.#publish(o),
      "GET keys": async () => granted({ keys: this.#keys() }), "POST keys": () => this.#rotateKey(),
      "GET nodes": (o) => this.#nodes(o), "POST revoke": (o) => this.#revoke(o),
      "GET acl": (o) => this.#rules(o), "PUT acl": (o) => this.#setRules(o),
      "GET registry": async (o) => this.#registry(o), "GET audit": (o) => this.#audit(o),
      "GET metrics": async () => granted(prefixed(parts.stats())),
    };
  }

  async handle(ask: HttpAsk): Promise<HttpAnswer> {
    if (!this.#parts.token.isShown(ask.headers)) {
      return refusedAnswer(refuse(401, "that needs the admin token"), { "www-authenticate": "Bearer" });
    }
    const name = ask.path.startsWith(PREFIX) ? ask.path.slice(PREFIX.length).replace(/\/+$/, "") : "";
    if (ask.method === "GET" && name === "") {
      return jsonAnswer(200, { endpoints: Object.keys(this.#handlers) });
    }
    if (ask.method === "GET" && name === "metrics" && ask.headers["accept"]?.includes("text/plain") === true) {
      return textAnswer(200, toExposition(this.#parts.stats()));
    }
    const handler = this.#handlers[`${ask.method} ${name}`];
    if (handler === undefined) return refusedAnswer(refuse(404, "there is no such endpoint"));
    const fields = new Fields(ask.method === "GET" ? Object.fromEntries(ask.query) : readBody(ask.body));
    try {
      const done = fields.problem === undefined ? await handler(fields) : refuse(400, fields.problem);
      return done.ok ? jsonAnswer(200, done.value) : refusedAnswer(done);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.log.write({ level: "error", target: "realm", msg: "an order failed", fields: { what: name, reason } });
      return refusedAnswer(refuse(503, reason, { retry_after_ms: 1_000 }));
    }
  }

  async #addRealm(o: Fields): Promise<Answer<unknown>> {
    const realm = o.whole("realm", REALM_RANGE);
    const name = o.text("name", "");
    if (o.problem !== undefined) return refuse(400, o.problem);
    if (this.#parts.realms.get(realm) !== undefined) return refuse(409, `realm ${realm} is there already`);
    if (this.#parts.realms.list().length >= this.#limits.admin.realmsMax) {
      return refuse(400, "there are too many realms");
    }
    return granted(toRealm(await this.#parts.realms.add(realm, name)));
  }

  async #rotateSecret(o: Fields): Promise<Answer<unknown>> {
    const realm = o.whole("realm", REALM_RANGE);
    if (o.problem !== undefined) return refuse(400, o.problem);
    const secret = await this.#parts.realms.rotateSecret(realm);
    return secret === undefined ? refuse(404, `there is no realm ${realm}`) : granted({ realm, secret });
  }

  async #invite(o: Fields): Promise<Answer<unknown>> {
    const { inviteMsMax, inviteUsesMax } = this.#limits.identity;
    const [only] = this.#parts.realms.list();
    const realm = o.whole("realm", { ...REALM_RANGE, ...only === undefined ? {} : { usual: only.realm } });
    const type = o.as("type", "type manufacturer:name:version", parseType);
    const ttl_ms = o.whole("ttl_ms", { min: 1_000, max: inviteMsMax });
    const uses = o.whole("uses", { min: 1, max: inviteUsesMax, usual: 1 });
    if (o.problem !== undefined || type === undefined) return refuse(400, o.problem ?? "the type is missing");
    if (!isOwnType(type)) return refuse(400, "the type has characters that we do not create");
    if (this.#parts.realms.get(realm) === undefined) return refuse(404, `there is no realm ${realm}`);
    return this.#parts.invites.make({ realm, type, ttl_ms, uses });
  }

  async #publish(o: Fields): Promise<Answer<unknown>> {
    if (o.has("manufacturer")) {
      const done = await this.#parts.packages.trust(o.text("manufacturer"), fromBase64(o.text("key")));
      return done.ok ? granted({ manufacturer: o.text("manufacturer") }) : done;
    }
    const type = o.as("type", "type manufacturer:name:version", parseType);
    const target = o.text("target", "");
    const manifest = o.raw("manifest");
    if (typeof manifest !== "string" || manifest === "") o.problems.push("manifest is no base64");
    if (o.problem !== undefined || type === undefined) return refuse(400, o.problem ?? "the type is missing");
    await this.#parts.packages.publish(type, target, fromBase64(String(manifest)));
    return granted({ type: formatType(type), target });
  }

  #keys(): readonly object[] {
    return this.#parts.keys.published().map((key) => ({ ...key, pubkey: toBase64(key.pubkey) }));
  }

  async #rotateKey(): Promise<Answer<unknown>> {
    const next = await this.#parts.keys.rotate("admin");
    return granted({ ...next, pubkey: toBase64(next.pubkey) });
  }

  async #nodes(o: Fields): Promise<Answer<unknown>> {
    const { records, nodes } = this.#parts;
    const after = o.text("after", "");
    const limit = o.whole("limit", { min: 1, max: this.#limits.admin.pageMax, usual: 100 });
    if (o.problem !== undefined) return refuse(400, o.problem);
    const keys = await records.keys("nodes", { after: after === "" ? null : after, limit });
    const found = await Promise.all(keys.map((key) => nodes.get(key)));
    return granted({ nodes: found.flatMap((one) => one === undefined ? [] : [this.#toNode(one.value)]) });
  }

  #toNode({ tokens, rules, admin_rules, ...rest }: NodeRecord): object {
    const entry = this.#parts.registry.get(rest.id);
    return {
      ...rest, renewal_tokens: tokens.length, rules: (admin_rules ?? rules ?? []).length,
      up: entry !== undefined && isUp(entry),
      connected: this.#parts.connections.get(rest.id) !== undefined,
    };
  }

  async #revoke(o: Fields): Promise<Answer<unknown>> {
    const id = o.as("id", "node id", parseNodeId);
    const reason = o.text("reason", "");
    if (o.problem !== undefined || id === undefined) return refuse(400, o.problem ?? "the id is missing");
    return revoke(this.#parts, id, reason);
  }

  async #rules(o: Fields): Promise<Answer<unknown>> {
    const node = await this.#parts.nodes.get(o.text("id"));
    if (o.problem !== undefined) return refuse(400, o.problem);
    if (node === undefined) return refuse(404, "there is no such node");
    const { id, rules, admin_rules } = node.value;
    return granted({ id, rules, admin_rules });
  }

  /** `rules: null` gives the word back to the node. */
  async #setRules(o: Fields): Promise<Answer<unknown>> {
    const { nodes, records, registry, relay } = this.#parts;
    const given = o.raw("rules");
    const read = given === null ? { ok: true as const, rules: null } : readRules(given, this.#limits.identity.rulesMax);
    if (!read.ok) return refuse(400, read.problem);
    const node = await nodes.get(o.text("id"));
    if (o.problem !== undefined) return refuse(400, o.problem);
    if (node === undefined) return refuse(404, "there is no such node");
    const record = { ...node.value, admin_rules: read.rules };
    const done = await records.commit([
      put("nodes", record.id, record, node.version), audit("acl_set", { id: record.id, rules: read.rules }),
    ]);
    if (!done.ok) return refuse(409, "the node changed meanwhile: try again");
    nodes.hold({ value: record, version: done.values[0] ?? 0 });
    registry.setRules(record.id, rulesOf(record));
    relay.forget(record.id);
    return granted({ id: record.id, rules: rulesOf(record) ?? null });
  }

  #registry(o: Fields): Answer<unknown> {
    const type = o.text("type", "");
    const found = this.#parts.registry.list().filter((entry) => type === "" || entry.type === type);
    return granted({ entries: found.slice(0, this.#limits.admin.pageMax).map(toEntry), total: found.length });
  }

  async #audit(o: Fields): Promise<Answer<unknown>> {
    const after = o.whole("after", { min: 0, max: Number.MAX_SAFE_INTEGER, usual: 0 });
    const limit = o.whole("limit", { min: 1, max: this.#limits.admin.pageMax, usual: 100 });
    if (o.problem !== undefined) return refuse(400, o.problem);
    await this.#parts.records.trim();
    const found = await this.#parts.records.journal(after, limit);
    return granted({ entries: found.map(({ seq, at_ms, body }) => ({ seq, at_ms, ...JSON.parse(body) as object })) });
  }
}

function readBody(body: Uint8Array): unknown {
  if (body.length === 0) return {};
  const read = parseJson(new TextDecoder().decode(body));
  return read.ok ? read.value : undefined;
}

function toRealm({ realm, name, secret, old_secret, made_at_ms }: RealmRecord): object {
  return {
    realm, name, has_secret: secret !== null, made_at_ms,
    ...old_secret === null ? {} : { old_secret_until_at_ms: old_secret.until_at_ms },
  };
}

function toEntry(entry: Entry): object {
  const { text, type, address, availability, power, backlog, seen_at_ms, place, node_key, spec } = entry;
  return {
    id: text, type, up: isUp(entry), stale: entry.pinged_at_ms === undefined, availability, power, backlog,
    seen_at_ms, place,
    ...address === undefined ? {} : { address },
    ...spec === undefined ? {} : { service: spec.name, fingerprint: spec.fingerprint },
    proof: node_key === undefined ? "bearer" : "key",
  };
}

/** As Prometheus reads it, which asks for text. */
function toExposition(stats: RealmStats): string {
  return Object.entries(stats).map(([name, value]) => {
    const full = `atoll_realm_${name}`;
    return `# TYPE ${full} ${name.endsWith("_total") ? "counter" : "gauge"}\n${full} ${value}\n`;
  }).join("");
}

function prefixed(stats: RealmStats): object {
  return Object.fromEntries(Object.entries(stats).map(([name, value]) => [`realm_${name}`, value]));
}
