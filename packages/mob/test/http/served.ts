/** A mob behind a real server, for tests of its doors: real rooms and sockets; members that answer with what they get. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { SseDecoder, type SseEvent, type StateStore } from "@atoll-run/core";
import { defineMob, type AccessRules, type MemberHost } from "@atoll-run/mob";
import {
  createEdgeWorks, createReconciler, Definitions, findMethod, findRoute, hashToken, Health, METHODS, MobLife, openApprovals, openRunner, Rights, routeOf, serveHttp, Shutdown, type HttpParts, type Method, type Role, type Token,
} from "@atoll-run/mob/internal";
import { TestMembers } from "../flows/test-members.ts";
import { TestHost } from "../reconcile/test-host.ts";
import { furnish, house, type HouseOptions, type StoreName } from "../support.ts";

export const token = (role: Role, more: Partial<Token> = {}): Token => ({ sha256: hashToken(`token-of-${role}`), principal: role, role, ...more });

export const definition = defineMob({
  mob: { id: "m", members: [{ id: "open", profile: "o" }, { id: "shut", profile: "s" }], edges: [["open", "shut"]] },
  profiles: { o: { linked: "x", external: true }, s: { linked: "x" } },
  approvals: [{ id: "write", match: { grant: "fs.write" }, tier: "R3" }],
  flows: { f: { steps: { ask: { role: "o", message: "{{ params.q }}", dispatch: "one_to_one" } } } },
});

/** All there are but the public ones, and some that are not. */
export const ROUTES: readonly (readonly [verb: string, path: string])[] = [
  ...METHODS.map(routeOf).map(({ verb, path }) => [verb, `/v1${path.replaceAll(/\{[\w.]+\}/g, "x")}`] as const),
  ["GET", "/v1/stream"], ["POST", "/v1/rpc"], ["GET", "/openapi.json"], ["GET", "/readyz"], ["GET", "/metrics"], ["POST", "/v1/session"], ["DELETE", "/v1/session"],
  ["POST", "/v1/stream-tickets"], ["GET", "/console/nothing"], ["POST", "/console/"], ["GET", "/nothing"],
];

export async function served(t: TestContext, o: HouseOptions & { readonly store?: StoreName; readonly readOnly?: boolean; readonly access?: AccessRules; readonly tokens?: readonly Token[]; readonly http?: Partial<HttpParts>; readonly on?: StateStore } = {}) {
  const made = { ...o, profileOf: (name: string) => definition.profiles[name] };
  const base = await (o.on === undefined ? house(t, o.store ?? "memory", made) : furnish(o.on, made));
  const { ledger, blobs, writer, commits, clock, log, limits, newId, roster: { view } } = base;
  let stopping = false;
  const rules: { access: AccessRules | null } = { access: o.access ?? null };
  const answering = new TestMembers(({ content }) => content).host(base);
  const commands = new TestHost(base);
  const members = {
    ...answering, spawn: commands.spawn.bind(commands), retire: commands.retire.bind(commands), respawn: commands.respawn.bind(commands),
    reload: commands.reload.bind(commands), repair: commands.repair.bind(commands), update: commands.update.bind(commands), wake: async () => undefined,
  } as unknown as MemberHost;
  const edges = createEdgeWorks({ ledger, writer, view, limits });
  const definitions = new Definitions({ ledger, writer }, definition);
  const reconciler = createReconciler({ definitions, ledger, writer, view, host: members, edges, clock, log, limits, lazy: true });
  const approvals = openApprovals({ ledger, writer, view, rules: () => definition.approvals, host: members, clock, newId, log, limits });
  const flows = openRunner({ ledger, blobs, writer, view, host: members, clock, log, limits, newId, flows: () => definition.flows });
  await reconciler.reconcile({ principal: "mob" });
  const http = await serveHttp({
    served: { definition: () => ({ ...definition, access: rules.access }), ledger, blobs, writer, commits, view, members, reconciler, edges, approvals, flows, limits, rights: new Rights({ rules: () => rules.access, view }), lifecycle: { stopping: () => stopping }, clock, life: new MobLife({ ledger, writer, view, clock, log, reconciler, flows, members: members as never, drainMs: 0, end: () => undefined }), health: new Health(view, ledger), shutdown: new Shutdown({ clock, log }, { drainMs: 0 }) }, port: 0, log, newErrorId: () => newId("e"),
    bytes: (count) => randomBytes(count), version: "0", tokens: [token("admin", { local: true }), token("viewer"), token("approver"), token("operator"), ...o.tokens ?? []], readOnly: o.readOnly ?? false, ...o.http,
  });
  t.after(async () => {
    await http.close();
    await Promise.all([reconciler, approvals, flows].map((one) => one[Symbol.asyncDispose]()));
  });
  const ask = async (verb: string, path: string, { body, role = "admin", headers = {} }: { body?: unknown; role?: Role | null; headers?: Record<string, string> } = {}) => {
    const answer = await fetch(`${http.url}${path}`, {
      method: verb, headers: { ...role === null ? {} : { authorization: `Bearer token-of-${role}` }, ...headers },
      ...body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) },
    });
    const text = await answer.text();
    if (answer.ok && path.startsWith("/v1/") && text.startsWith("{")) held(verb, path, JSON.parse(text));
    return { status: answer.status, body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text, headers: answer.headers };
  };
  const rpc = async (method: string, params: object = {}, role: Role = "admin") => {
    const { body } = await ask("POST", "/v1/rpc", { role, body: { jsonrpc: "2.0", id: 1, method, params } });
    if ("result" in body) hold(findMethod(method.replace("mob/", "")), body.result);
    return body;
  };
  return { ...base, view, http, ask, rpc, approvals, rules, stop: () => { stopping = true; } };
}

/** An answer is just what its method says it gives: nothing is missing, and nothing is there that is not in the contract. */
export function hold(method: Method, result: unknown): void {
  assert.deepEqual(method.result.parse(result), result, method.name);
}

export function held(verb: string, path: string, result: unknown): void {
  const found = findRoute(verb, path.slice("/v1".length).replace(/\?.*$/, ""));
  if (found !== undefined) hold(found.method, result);
}

export async function* listen(url: string, headers: Record<string, string>, signal: AbortSignal): AsyncGenerator<SseEvent> {
  const answer = await fetch(url, { headers: { authorization: "Bearer token-of-admin", ...headers }, signal });
  assert.equal(answer.status, 200);
  const decoder = new SseDecoder(1_000_000);
  for await (const piece of answer.body as AsyncIterable<Uint8Array>) yield* decoder.push(piece);
}

export async function hear(url: string, count: number, headers: Record<string, string> = {}): Promise<readonly SseEvent[]> {
  const ending = new AbortController();
  const heard: SseEvent[] = [];
  try {
    for await (const event of listen(url, headers, ending.signal)) {
      heard.push(event);
      if (heard.length === count) break;
    }
  } finally {
    ending.abort();
  }
  return heard;
}
