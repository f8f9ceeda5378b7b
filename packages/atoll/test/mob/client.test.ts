/** The typed client against a mob that is served: calls, faults, and a stream over connections that are cut. */
import assert from "node:assert/strict";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { createClient, type StreamEvent } from "@atoll-run/atoll/client";
import { defineMob, Mob, serveMob } from "@atoll-run/atoll/mob";
import { isFault } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";

const definition = defineMob({
  mob: { id: "asked", members: [{ id: "open", profile: "open" }, { id: "inner", profile: "inner" }], edges: [["open", "inner"]] },
  profiles: { open: { linked: "echo", external: true }, inner: { linked: "echo" } },
});

async function served() {
  const mob = await Mob.start({ definition, ephemeral: true, linked: { echo: () => ({ content }) => ({ said: content }) } });
  const http = await serveMob(mob, { port: 0 });
  return { mob, http, [Symbol.asyncDispose]: async () => {
    await http.close();
    await mob.close();
  } };
}

/** Passes bytes on until `cut`. */
async function wire(t: TestContext, port: number): Promise<{ readonly url: string; cut(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  t.after(() => {
    cut();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut };
}

test("methods are called with their types, and what goes wrong is a fault with code, facts and retry", async () => {
  await using house = await served();
  const mob = createClient({ url: `${house.http.url}/`, token: () => house.http.token });
  const { members } = await mob.members.list({ profile: "open" });
  assert.deepEqual(members.map(({ id, wired_to }) => [id, wired_to]), [["open", ["inner"]]]);
  const { tickets: [ticket] } = await mob.send({ to: "open", content: { n: 1 }, idempotency_key: "k" });
  assert.deepEqual((await mob.turns.wait({ turn_id: ticket?.turn_id ?? "" })).output, { said: { n: 1 } });
  assert.equal((await mob.call("status")).mob, "asked");
  const fault = async (work: Promise<unknown>) => {
    const error: unknown = await work.then(() => undefined, (reason: unknown) => reason);
    assert.ok(isFault(error), String(error));
    return [error.code, error.retry, error.uncertain ?? false];
  };
  assert.deepEqual(await fault(mob.send({ to: "inner", content: 1 })), ["mob.not_addressable", "never", false]);
  assert.deepEqual(await fault(mob.members.get({ member: "nobody" })), ["mob.not_found", "never", false]);
  assert.deepEqual(await fault(mob.members.get({ member: "open", deeep: true } as never)), ["mob.invalid_params", "never", false]);
  assert.deepEqual(await fault(createClient({ url: house.http.url, token: "x" }).status()), ["mob.unauthenticated", "never", false]);
  await assert.rejects(mob.status({}, { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
  const nowhere = createServer().listen(0, "127.0.0.1");
  await once(nowhere, "listening");
  const { port } = nowhere.address() as AddressInfo;
  nowhere.close();
  await once(nowhere, "close");
  assert.deepEqual(await fault(createClient({ url: `http://127.0.0.1:${port}`, token: "x" }).lifecycle.stop()), ["client.unreachable", "later", false]);
});

test("a stream goes on after its last event when its connection is cut, without hole or double, and ends with bye", async (t) => {
  await using house = await served();
  const between = await wire(t, house.http.port);
  const mob = createClient({ url: between.url, token: house.http.token });
  const direct = createClient({ url: house.http.url, token: house.http.token });
  const seen: StreamEvent[] = [];
  await direct.send({ to: "open", content: 0 });
  for await (const event of mob.stream({ topics: ["turns"], after: "0" })) {
    seen.push(event);
    const ends = seen.filter((one) => one.event === "entry" && one.data.kind === "turn_done").length;
    if (event.event === "entry" && event.data.kind === "turn_done" && ends < 3) {
      between.cut();
      await direct.send({ to: "open", content: ends });
    } else if (ends === 3 && event.event !== "bye") void house.http.close();
  }
  assert.equal(seen.at(-1)?.event, "bye");
  const seqs = seen.flatMap((one) => one.event === "entry" ? [one.data.seq] : []);
  const { entries } = await house.mob.rooms.ledger.query({ after: 0, classes: ["turn"], limit: 1_000 });
  assert.deepEqual(seqs, entries.map(({ seq }) => seq));
});

test("rows that a stream has told, over connections that are cut, are those of the mob after real work", async (t) => {
  await using house = await served();
  const between = await wire(t, house.http.port);
  const mob = createClient({ url: between.url, token: house.http.token });
  const direct = createClient({ url: house.http.url, token: house.http.token });
  type Row = Extract<StreamEvent, { readonly event: "row" }>["data"]["row"];
  let rows = new Map<string, Row>();
  let staged: Map<string, Row> | undefined;
  let snapshots = 0;
  const ending = new AbortController();
  const reading = (async () => {
    for await (const event of mob.stream({ topics: ["roster", "metrics"], signal: ending.signal })) {
      if (event.event === "snapshot_started") staged = new Map();
      else if (event.event === "snapshot_complete") [rows, staged, snapshots] = [staged ?? rows, undefined, snapshots + 1];
      else if (event.event === "row") {
        const { member, row } = event.data;
        if (row === null) rows.delete(member);
        else (staged ?? rows).set(member, row);
      } else assert.equal(event.event, "live");
    }
  })();
  await until(() => snapshots === 1);
  for (let n = 0; n < 6; n++) {
    await direct.members.spawn({ spec: { id: `m-${n}`, profile: "open" } });
    const { tickets: [ticket] } = await direct.send({ to: `m-${n}`, content: n });
    if (n % 2 === 0) between.cut();
    await direct.edges.wire({ a: `m-${n}`, b: "inner" });
    await direct.labels.set({ scope: "member", id: "inner", labels: { n: String(n) } });
    await direct.turns.wait({ turn_id: ticket?.turn_id ?? "" });
    await direct.members.respawn({ member: `m-${n}` });
    if (n > 2) await direct.members.delete({ member: `m-${n}`, confirm: `m-${n}` });
    else if (n > 0) await direct.members.suspend({ member: `m-${n}` });
  }
  // The last of it may still be on its way.
  await until(async () => {
    const { members } = await direct.members.list({});
    return isDeepStrictEqual([...rows.values()].sort((x, y) => ((x?.id ?? "") < (y?.id ?? "") ? -1 : 1)), members);
  });
  assert.deepEqual([rows.size, snapshots], [5, 1]);
  ending.abort();
  await reading;
});

test("a stream whose cursor is not of this history is refused", async () => {
  await using house = await served();
  const stream = createClient({ url: house.http.url, token: house.http.token }).stream({ after: "nowhere-7" });
  await assert.rejects(async () => {
    for await (const _ of stream) assert.fail();
  }, { code: "mob.stale_cursor" });
});
