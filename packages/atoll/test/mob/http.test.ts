/** A mob with real members behind its HTTP surface: a program sends, waits, decides and listens, with the token of the machine. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, Mob, serveMob, type LinkedFactory } from "@atoll-run/atoll/mob";
import { SseDecoder } from "@atoll-run/core";
import { findMethod } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";

const definition = defineMob({
  mob: { id: "served", members: [{ id: "w", profile: "w", count: 2 }, { id: "editor", profile: "e" }] },
  profiles: { w: { linked: "worker" }, e: { linked: "editor", external: true, grants: ["fs.write:report.md"] } },
  approvals: [{ id: "write", match: { grant: "fs.write" }, tier: "R3" }],
  flows: { f: { steps: {
    work: { role: "w", dispatch: "share", items: "params.list" },
    report: { role: "e", depends_on: ["work"], dispatch: "one_to_one", message: "{{ steps.work.output }}" },
  } } },
});

const worker: LinkedFactory = () => (turn) => `${String(turn.content)}!`;
const editor: LinkedFactory = () => async (turn, ctx) =>
  await ctx.guarded({ grant: "fs.write", args: { path: "report.md", text: turn.content } }, () => ({ wrote: turn.content }));

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-served-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("a program runs a flow, approves what it asks and hears all of it; the token is its owner's alone and stays", async (t) => {
  const dir = folder(t);
  await using mob = await Mob.start({ definition, stateDir: dir, linked: { worker, editor } });
  await using http = await serveMob(mob, { dir, port: 0 });
  assert.equal(statSync(join(dir, "http.token")).mode & 0o777, 0o600);
  assert.equal(readFileSync(join(dir, "http.token"), "utf8"), http.token);
  const ask = async (verb: string, path: string, body?: object) => {
    const answer = await fetch(`${http.url}/v1${path}`, {
      method: verb, headers: { authorization: `Bearer ${http.token}` }, ...body === undefined ? {} : { body: JSON.stringify(body) },
    });
    return await answer.json() as Record<string, unknown>;
  };
  const { run_id } = await ask("POST", "/flows/f/run", { params: { list: ["a", "b", "c"] } });
  const approval = await until(async () => ((await ask("GET", "/approvals?state=open"))["approvals"] as { id: string; args: unknown }[])[0]);
  assert.deepEqual(approval.args, { path: "report.md", text: ["a!", "b!", "c!"] });
  // Perhaps before its turn waits: it is woken all the same.
  await ask("POST", `/approvals/${approval.id}/decide`, { decision: "approve" });
  const run = await ask("GET", `/runs/${String(run_id)}/wait`);
  assert.deepEqual([run["state"], run["output"]], ["completed", { wrote: ["a!", "b!", "c!"] }]);

  const ending = new AbortController();
  const stream = await fetch(`${http.url}/v1/stream?topics=run:${String(run_id)}&after=0`, { headers: { authorization: `Bearer ${http.token}` }, signal: ending.signal });
  const decoder = new SseDecoder(1_000_000);
  const kinds: string[] = [];
  for await (const piece of stream.body as AsyncIterable<Uint8Array>) {
    kinds.push(...decoder.push(piece).map(({ data }) => (JSON.parse(data) as { kind: string }).kind));
    if (kinds.includes("flow_completed")) break;
  }
  ending.abort();
  assert.deepEqual(kinds.filter((kind) => kind.startsWith("flow_") || kind === "step_completed"), ["flow_started", "step_completed", "step_completed", "flow_completed"]);
  assert.equal(kinds.filter((kind) => kind === "turn_done").length, 4);
  const stranger = await fetch(`${http.url}/v1/status`);
  assert.equal(stranger.status, 401);
  await stranger.body?.cancel();
});

test("the token of the machine is the same at the next start; a damaged one is refused", async (t) => {
  const dir = folder(t);
  await using mob = await Mob.start({ definition, ephemeral: true, linked: { worker, editor } });
  const tokens: string[] = [];
  for (let n = 0; n < 2; n++) {
    await using http = await serveMob(mob, { dir, port: 0 });
    tokens.push(http.token);
  }
  assert.equal(tokens[0], tokens[1]);
  writeFileSync(join(dir, "http.token"), "short");
  await assert.rejects(serveMob(mob, { dir, port: 0 }), { code: "mob.unavailable" });
});

test("an admin asks for the end: whoever runs the mob is told once, after the answer; without a way to stop it is refused", async () => {
  await using mob = await Mob.start({ definition, ephemeral: true, linked: { worker, editor } });
  const asked: string[] = [];
  await using http = await serveMob(mob, { port: 0, down: (principal) => void asked.push(principal), tokens: [{ token: "o".repeat(32), principal: "o", role: "operator" }] });
  await using other = await serveMob(mob, { port: 0 });
  const stop = async (url: string, token: string) => {
    const answer = await fetch(`${url}/v1/lifecycle/down`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
    return [answer.status, (await answer.json() as { state?: string }).state];
  };
  assert.deepEqual(await stop(http.url, "o".repeat(32)), [403, undefined]);
  for (let n = 0; n < 2; n++) assert.deepEqual(await stop(http.url, http.token), [200, "stopping"]);
  await until(() => asked.length > 0);
  assert.deepEqual(asked, ["local"]);
  assert.deepEqual(await stop(other.url, other.token), [503, undefined]);
});

test("the sessions, the past and the dead letters of a mob can be read; a letter is handed in again once, or thrown away", async (t) => {
  const dir = folder(t);
  const slow: LinkedFactory = () => async ({ content }, { signal }) => {
    if (content !== "quick") await new Promise((resolve) => void signal.addEventListener("abort", resolve, { once: true }));
    return content;
  };
  await using mob = await Mob.start({
    definition: defineMob({ mob: { id: "dead", members: [{ id: "a", profile: "p" }] }, profiles: { p: { linked: "slow", external: true } } }), stateDir: dir, linked: { slow },
  });
  await using http = await serveMob(mob, { dir, port: 0 });
  const rpc = async (method: string, params: object = {}) => {
    const answer = await fetch(`${http.url}/v1/rpc`, {
      method: "POST", headers: { authorization: `Bearer ${http.token}` }, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: `mob/${method}`, params }),
    });
    const { result, error } = await answer.json() as { result?: never; error?: { message: string; data: { code: string } } };
    if (error !== undefined) return { refused: error.data.code } as never;
    assert.deepEqual(findMethod(method).result.parse(result), result, method);
    return result as never;
  };
  const send = async (content: string): Promise<string> => (await rpc("send", { to: "a", content, conversation: content }) as { tickets: [{ turn_id: string }] }).tickets[0].turn_id;
  const first = await send("quick");
  await rpc("turns/wait", { turn_id: first });
  const running = await send("slow");
  await until(async () => (await rpc("turns/get", { turn_id: running }) as { state: string }).state === "running");
  const lost = [await send("one"), await send("two")];
  const before = mob.rooms.ledger.head;
  assert.deepEqual(await rpc("members/wait", { members: ["a"], until: "ready" }), { met: ["a"], pending: [], broken: [] });
  await rpc("members/reset", { member: "a", confirm: "a" });
  const { letters } = await rpc("dead_letters/list") as { letters: { turn_id: string; member: string; error: { code: string }; content_preview: string }[] };
  assert.deepEqual(letters.map(({ turn_id, member, error, content_preview }) => [turn_id, member, error.code, content_preview]),
    [[lost[0], "a", "mob.member_gone", "one"], [lost[1], "a", "mob.member_gone", "two"]]);
  const page = await rpc("dead_letters/list", { limit: 1 }) as { letters: object[]; next: string };
  assert.equal(page.letters.length, 1);
  assert.deepEqual((await rpc("dead_letters/list", { after: page.next }) as { letters: { turn_id: string }[] }).letters.map(({ turn_id }) => turn_id), [lost[1]]);
  assert.deepEqual((await rpc("dead_letters/list", { reason: "expired" }) as { letters: object[] }).letters, []);

  const { results } = await rpc("dead_letters/redrive", { ids: [lost[0], "t_none"] }) as { results: [{ ok: boolean; sent_as: string }, { error: { code: string } }] };
  assert.deepEqual([results[0].ok, results[1].error.code], [true, "mob.not_found"]);
  const again = await rpc("turns/get", { turn_id: results[0].sent_as }) as { member: string; conversation: string; principal: string };
  assert.deepEqual([again.member, again.conversation, again.principal], ["a", "one", "local"]);
  assert.deepEqual((await rpc("dead_letters/redrive", { ids: [lost[0]] }) as { results: { ok: boolean }[] }).results.map(({ ok }) => ok), [false]);
  await rpc("dead_letters/discard", { ids: [lost[1]], reason: "not needed" });
  assert.deepEqual((await rpc("dead_letters/list") as { letters: object[] }).letters, []);
  assert.equal((await rpc("members/get", { member: "a" }) as { queue: { dead: number } }).queue.dead, 0);
  const { entries } = await rpc("ledger/query", { kinds: ["dead_letter_redriven", "dead_letter_discarded"] }) as { entries: { turn_id: string; principal: string; data: object }[] };
  assert.deepEqual(entries.map(({ turn_id, principal, data }) => [turn_id, principal, data]), [[lost[0], "local", { sent_as: results[0].sent_as }], [lost[1], "local", { reason: "not needed" }]]);

  const { sessions } = await rpc("sessions/list", { member: "a" }) as { sessions: { session_id: string; archived: boolean }[] };
  assert.deepEqual(sessions.map(({ archived }) => archived), [true, false]);
  const session = await rpc("sessions/read", { session_id: sessions[0]?.session_id }) as { records: { role: string; turn_id: string; blocks: object[] }[] };
  assert.deepEqual(session.records.filter(({ turn_id }) => turn_id === first).map(({ role }) => role), ["user", "assistant"]);
  assert.deepEqual(await rpc("sessions/read", { session_id: "s_none" }), { refused: "mob.session_not_found" });

  const past = await rpc("ledger/state_at", { seq: before }) as { members: { generation: number; queue: { depth: number } }[] };
  assert.deepEqual(past.members.map(({ generation, queue }) => [generation, queue.depth]), [[1, 3]]);
  assert.deepEqual(await rpc("ledger/state_at", { seq: before + 1_000_000 }), { refused: "mob.stale_cursor" });
  assert.deepEqual((await rpc("members/cancel", { member: "a", queued: true }) as { cancelled: string[] }).cancelled, [results[0].sent_as]);
  assert.deepEqual(await rpc("verify"), { findings: [] });
  const boot = await rpc("boot", { wait_ms: 10_000 }) as { complete: boolean; counts: { active: number; dormant: number } };
  assert.deepEqual([boot.complete, boot.counts.active + boot.counts.dormant], [true, 1]);
});
