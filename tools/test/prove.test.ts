/**
 * Goal: `npm run prove` gives each proof its part of the time, counts a crash, a hang and no round as
 * failures, repeats a run by its seed, and a full run goes on where it stopped.
 * Method: proofs of a few lines in a fixture repository, run by the real command.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { Share, weigh } from "../prove/plan.ts";
import { roundSeed } from "../prove/proof.ts";
import { runProof, type RunResult } from "../prove/run-proof.ts";
import { makeFolder, manifest, runTool } from "./fixture.ts";

/** A proof file; `body` sees `order` and gives the result. */
function proof(body: string, facts = ""): string {
  return `import { appendFileSync } from "node:fs";
    export const proof = { issue: "A", title: "a title", full: 10, ${facts} async run(order) { ${body} } };`;
}

/** Counts rounds and writes down seed and number of each. */
const COUNTING = `
  let rounds = 0;
  for (; rounds < order.count && Date.now() < order.deadlineAtMs && !order.signal.aborted; rounds += 1) {
    appendFileSync("rounds.txt", order.seed + ":" + (order.from + rounds) + "\\n");
    order.onRound();
    if (globalThis.perRound) await globalThis.perRound(order.from + rounds, order);
  }
  return { rounds, failures: [] };`;

function makeRepository(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = makeFolder(t, { "package.json": manifest("fixture"), "build/stamp": "", ...files });
  const later = new Date(Date.now() + 3_600_000);
  utimesSync(join(root, "build/stamp"), later, later);
  return root;
}

test("a run prints its seed and the same seed repeats it", async (t) => {
  const root = makeRepository(t, { "test/prove/count.prove.ts": proof(COUNTING) });
  const first = await runTool("prove", [], root);
  assert.equal(first.code, 0, first.out + first.err);
  assert.match(first.out,
    /^seed \d+\nok {3}count: a title {2}10 of 10 rounds, .*of 4 m 00 s\nissue A: .*\n\n1 passed, 0 failed\n$/);
  const before = readFileSync(join(root, "rounds.txt"), "utf8");
  writeFileSync(join(root, "rounds.txt"), "");
  await runTool("prove", ["--seed", /seed (\d+)/.exec(first.out)?.[1] ?? ""], root);
  assert.equal(readFileSync(join(root, "rounds.txt"), "utf8"), before);
  assert.equal(existsSync(join(root, ".prove")), false, "only full runs keep a state");
});

test("a failure, a crash and a proof without a round are counted, and told how to repeat", async (t) => {
  const root = makeRepository(t, {
    "test/prove/wrong.prove.ts": proof("return { rounds: 3, failures: [\"round 2: lost a message\"] };"),
    "test/prove/crash.prove.ts": 
      proof("order.onRound(); console.error(\"boom\"); process.kill(process.pid, \"SIGKILL\");"),
    "test/prove/empty.prove.ts": proof("return { rounds: 0, failures: [] };"),
    "test/prove/fine.prove.ts": proof(COUNTING),
  });
  const { code, out } = await runTool("prove", ["--seed", "7"], root);
  assert.equal(code, 1);
  assert.match(out, /FAIL wrong: .*\n {5}round 2: lost a message \(npm run prove -- --only wrong --seed 7\)/);
  assert.match(out, /FAIL crash: [^]*its process ended with SIGKILL:\nboom/);
  assert.match(out, /FAIL empty: .*\n {5}no round ended within/);
  assert.match(out, /\n1 passed, 3 failed\n$/);
});

test("--only picks proofs by name and a name that is none fails", async (t) => {
  const root = makeRepository(t, {
    "test/prove/one.prove.ts": proof(COUNTING),
    "test/prove/two.prove.ts": proof("throw new Error(\"not wanted\");"),
  });
  assert.match((await runTool("prove", ["--only", "one"], root)).out, /\n1 passed, 0 failed\n$/);
  const none = await runTool("prove", ["--only", "three"], root);
  assert.deepEqual([none.code, none.err], [1, "no proof is called three\n"]);
});

for (const args of [["--seed", "x"], ["--restart"], ["--fast"]]) {
  test(`the wrong call ${args.join(" ")} exits 2 with the usage`, async (t) => {
    const { code, err } = await runTool("prove", args, makeRepository(t, {}));
    assert.equal(code, 2);
    assert.match(err, /usage: npm run prove/);
  });
}

test("an interrupted full run goes on with its seed where it stopped, and --restart forgets", async (t) => {
  const slow = `globalThis.perRound = async (round, order) => {
      if (round === 4 && !process.env.GO_ON) {
        appendFileSync("reached.txt", "");
        await new Promise((done) => {
          order.signal.addEventListener("abort", done);
          setTimeout(done, 60000).unref();
        });
      }
    };`;
  const root = makeRepository(t, { "test/prove/count.prove.ts": proof(slow + COUNTING) });
  const stopped = runTool("prove", ["--full", "--seed", "9"], root);
  while (!existsSync(join(root, "reached.txt"))) await delay(20);
  stopped.kill();
  const { code, out } = await stopped;
  assert.match(out, /interrupted\n\n0 passed, 1 failed\n$/);
  assert.equal(code, 1);

  const goesOn = await runTool("prove", ["--full"], root);
  assert.match(goesOn.out,
    /count: seed 9, goes on at round 5 of 10 rounds\nok {3}count: a title {2}10 of 10 rounds, seed 9/);
  const rounds = readFileSync(join(root, "rounds.txt"), "utf8").trim().split("\n");
  assert.deepEqual(rounds, Array.from({ length: 10 }, (_, round) => `9:${round}`));

  const again = await runTool("prove", ["--full"], root);
  assert.match(again.out, /10 of 10 rounds, seed 9, done before/);
  process.env["GO_ON"] = "1";
  t.after(() => { delete process.env["GO_ON"]; });
  const anew = await runTool("prove", ["--full", "--restart"], root);
  assert.match(anew.out, /count: seed \d+, 10 rounds\nok/);
});

/** Runs one proof with half a second of time. */
async function runBriefly(t: TestContext, body: string): Promise<RunResult> {
  const root = makeRepository(t, { "a.prove.ts": proof(body) });
  return runProof({ root, file: join(root, "a.prove.ts"), seed: 1, from: 0, count: 1e9, allowedMs: 500,
    deadlineAtMs: Date.now() + 500, signal: t.signal, onRounds: () => undefined });
}

test("a proof does as many rounds as fit before its deadline", async (t) => {
  const { rounds, failures } = await runBriefly(t, `
    globalThis.perRound = () => new Promise((done) => setTimeout(done, 5)); ${COUNTING}`);
  assert.deepEqual(failures, []);
  assert.ok(rounds > 1 && rounds < 1000, `${rounds} rounds`);
});

test("a proof that leaves something open is ended and failed", async (t) => {
  const { failures } = await runBriefly(t,
    "setInterval(() => {}, 1000); return { rounds: 1, failures: [] };");
  assert.match(failures.join(), /left something open that keeps its process alive/);
});

test("proofs that name no part split what is left, and too much is refused", () => {
  assert.deepEqual([...weigh([{ name: "a", sharePercent: 40 }, { name: "b" }, { name: "c" }]).values()],
    [40, 30, 30]);
  assert.throws(() => weigh([{ name: "a", sharePercent: 80 }, { name: "b", sharePercent: 30 }]),
    /claim 110 %/);
  assert.throws(() => weigh([{ name: "a", sharePercent: 100 }, { name: "b" }]), /claim 100 %/);
});

test("what a proof does not use goes to those after it", () => {
  const share = new Share(1000, [{ name: "a", sharePercent: 50 }, { name: "b" }, { name: "c" }]);
  assert.equal(share.allow("a"), 500);
  share.settle("a", 100);
  assert.equal(share.allow("b"), 450);
  share.settle("b", 1000);
  assert.equal(share.allow("c"), 0, "nothing is left, and never less than nothing");
});

test("the seed of a round depends on seed and round alone", () => {
  const seeds = new Set(Array.from({ length: 1000 }, (_, round) => roundSeed(5, round)));
  assert.equal(seeds.size, 1000);
  assert.equal(roundSeed(5, 3), roundSeed(5, 3));
  assert.notEqual(roundSeed(5, 3), roundSeed(6, 3));
});
