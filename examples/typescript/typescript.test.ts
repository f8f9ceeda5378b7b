// The TypeScript agent against a server of the test: what changed, what is refused, events, and without a grant.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type RunConfig, startBlock } from "@atoll-run/atoll";
import { until } from "@atoll-run/testkit";

const home = mkdtempSync(join(tmpdir(), "atoll-typescript-"));
let prices: unknown = [{ name: "tea", cents: 250 }, { name: "milk", cents: 120 }];
const server = createServer((_request, response) => response.end(JSON.stringify(prices)));
let url = "";
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prices.json`;
});
after(() => {
  server.close();
  rmSync(home, { recursive: true, force: true });
});

function watch(args: readonly string[], more: Partial<RunConfig> = {}): ReturnType<typeof startBlock> {
  return startBlock({
    script: { path: join(import.meta.dirname, "watch.ts") }, args, projectRoot: home, env: { HOME: home }, stdout: "ignore",
    signal: AbortSignal.timeout(60_000), ...more,
  });
}

test("the agent stores prices, and sees what changed the next time", async () => {
  assert.deepEqual((await watch([url]).result).value, ["tea", "milk"]);
  prices = [{ name: "tea", cents: 270 }, { name: "milk", cents: 120 }];
  let printed = "";
  const { value } = await watch([url], { stdout: (bytes) => void (printed += new TextDecoder().decode(bytes)) }).result;
  assert.deepEqual(value, ["tea"]);
  assert.equal(printed, "changed: tea\n");
});

test("served, it answers events beside the script and in the handler isle", async () => {
  const run = watch([url, "serve"]);
  await until(() => run.serving);
  prices = [{ name: "tea", cents: 290 }];
  assert.deepEqual(await run.request("update", null), ["tea"]);
  assert.equal(await run.request("average", { name: "tea" }), 270);
  assert.equal((await run.stop()).outcome, "stopped");
});

test("a price that is none fails the run and says which", async () => {
  prices = [{ name: "tea", cents: "cheap" }];
  await assert.rejects(watch([url]).result, /prices\[0\]: cents: expected integer, got string/);
});

test("without a grant for the network nothing is asked", async () => {
  await assert.rejects(watch([url], { grants: [] }).result, /denied: net connect to 127\.0\.0\.1/);
});
