/**
 * Goal: what a model writes is seen while it writes. Invariants: whoever joins late has it from its beginning; a piece lies at its offset; what is
 * tried again begins anew; what is over is told no more. Method: a whole mob, a model of the test that says a piece at a time.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { defineMob, Mob } from "@atoll-run/atoll/mob";
import { createClient, type StreamEvent } from "@atoll-run/client";
import { until } from "@atoll-run/testkit";

/** Each request waits until the test has said all of its answer. */
async function slowModel(t: TestContext) {
  const open: ServerResponse[] = [];
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      open.push(response);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const event = (data: { readonly type: string }): void => void open.at(-1)?.write(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);
  const say = (...events: readonly { readonly type: string; readonly [key: string]: unknown }[]): void => events.forEach(event);
  return { open, say, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const BEGIN = [
  { type: "message_start", message: { content: [], stop_reason: null, usage: { input_tokens: 10, output_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
];
const piece = (text: string) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } });
const END = [{ type: "content_block_stop", index: 0 }, { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5 } }, { type: "message_stop" }];

test("text of an agent is told as it comes; who joins late has it so far; a call that is tried again begins anew; who may not read sessions is told of no text", async (t) => {
  const model = await slowModel(t);
  await using mob = await Mob.start({
    ephemeral: true, variables: { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: model.url },
    definition: defineMob({
      mob: { id: "live", members: [{ id: "ann", profile: "writer" }] }, profiles: { writer: { agent: true, model: "auto" } },
      access: { admins: ["root"], rules: [{ effect: "allow", principals: ["eve"], actions: ["*.view"] }] },
    }),
    http: { port: 0, tokens: [{ token: "eve's", principal: "eve" }] },
  });
  const { http } = mob;
  assert.ok(http !== undefined);
  const ending = new AbortController();
  const readers: Promise<void>[] = [];
  /** What a page would show: pieces by their offset, after what was there. */
  const listen = (token: string) => {
    const seen = { text: "", phases: [] as string[], events: [] as StreamEvent[] };
    readers.push((async () => {
      for await (const one of createClient({ url: http.url, token }).stream({ signal: ending.signal })) {
        seen.events.push(one);
        if (one.event !== "live" && one.event !== "partial") continue;
        const { live, data: { text = "", offset = 0, phase = "" } } = one.data as { readonly live: string; readonly data: { readonly text?: string; readonly offset?: number; readonly phase?: string } };
        if (live === "phase") seen.phases.push(phase);
        if (live === "phase" && phase === "generating") seen.text = "";
        if (live === "partial" || live === "text") seen.text = seen.text.slice(0, offset) + text;
      }
    })());
    return seen;
  };
  const [early, eve] = [listen(http.token), listen("eve's")];
  await until(() => http.streams === 2);
  const { tickets: [ticket] } = await mob.dispatch("ann", "tell me");
  await until(() => model.open.length === 1);
  model.say(...BEGIN, piece("Once"));
  await until(() => early.text === "Once");
  const late = listen(http.token);
  await until(() => late.text === "Once");
  assert.deepEqual(late.events.map(({ event }) => event), ["partial"]);
  model.say(piece(" upon"));
  await until(() => early.text === "Once upon" && late.text === "Once upon");
  // Nobody has used what was said, so the model is asked again.
  model.say({ type: "error", error: { type: "overloaded_error", message: "busy" } });
  await until(() => model.open.length === 2);
  model.say(...BEGIN, piece("A"), piece(" tale"));
  await until(() => early.text === "A tale" && late.text === "A tale");
  model.say(...END);
  model.open.at(-1)?.end();
  assert.equal((await mob.turns.wait(ticket?.turn_id ?? "")).output, "A tale");
  const fact = (seen: typeof early) => seen.events.some((one) => one.event === "entry" && one.data.kind === "turn_done");
  await until(() => [early, late, eve].every(fact));
  assert.deepEqual([early.phases, eve.phases], [["generating", "generating", "waiting"], ["generating", "generating", "waiting"]]);
  assert.equal(eve.events.some((one) => "data" in one && /Once|tale/.test(JSON.stringify(one.data)) && one.event !== "entry"), false);
  // It is over: who comes now is told of nothing that is not.
  const after = listen(http.token);
  await until(() => http.streams === 4);
  await mob.ledger.query({});
  await mob.labels.set({ scope: "mob", labels: { a: "b" } });
  await until(() => after.events.length > 0);
  assert.deepEqual(after.events.map(({ event }) => event), ["entry"]);
  ending.abort();
  await Promise.all(readers);
});
