/**
 * Real shells on a real machine. Whether a process is gone is asked from the system, by its id.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "@atoll-run/testkit";
import { run, text } from "../ops.ts";
import { isGone, pidIn, shell } from "./shell.ts";

test("sh.exec runs sh -c and gives code, stdout and stderr as exact bytes", async (t) => {
  const { ops } = await shell(t);
  const result = await run(ops, "sh.exec", ["printf 'a\\377\\000b'; echo oops >&2; exit 3"]);
  assert.equal(result.ok, true);
  assert.equal(result.code, 3);
  assert.deepEqual([...result.stdout], [97, 255, 0, 98]);
  assert.equal(text(result.stderr), "oops\n");
  assert.deepEqual(Object.keys(result).sort(), ["code", "ok", "stderr", "stdout"]);
});

test("a failing command never raises", async (t) => {
  const { ops } = await shell(t);
  const missing = await run(ops, "sh.exec", ["no-such-program-here"]);
  assert.equal(missing.ok, true);
  assert.equal(missing.code, 127);
  assert.deepEqual(await run(ops, "sh.exec", ["no-such-program-here", { args: ["x"] }]),
    { ok: false, error: "exec error: no-such-program-here: No such file or directory" });
  const cwd = await run(ops, "sh.exec", ["true", { cwd: "nowhere" }]);
  assert.match(cwd.error, /^exec error: cwd .*nowhere: No such file or directory$/);
});

test("a command whose output cannot be read is ended: wait error: …", async (t) => {
  const { ops, runner, root } = await shell(t);
  const start = runner.start.bind(runner);
  runner.start = async (...given) => {
    const child = await start(...given);
    await pidIn(join(root, "pid"));
    // what a failing disk or pipe gives to the stream
    child.stdout?.destroy(Object.assign(new Error("read EIO"), { code: "EIO", errno: -5 }));
    return child;
  };
  assert.deepEqual(await run(ops, "sh.exec", ["echo $$ > pid; exec sleep 1000"]), { ok: false, error: "wait error: Input/output error" });
  assert.ok(await isGone(await pidIn(join(root, "pid"))));
});

test("a signalled command has code -1 and the signal", async (t) => {
  const { ops } = await shell(t);
  const result = await run(ops, "sh.exec", ["kill -9 $$"]);
  assert.equal(result.ok, true);
  assert.equal(result.code, -1);
  assert.equal(result.signal, "SIGKILL");
});

test("stdin is empty unless given", async (t) => {
  const { ops } = await shell(t);
  assert.equal(text((await run(ops, "sh.exec", ["cat; echo end"])).stdout), "end\n");
  assert.equal(text((await run(ops, "sh.exec", ["cat", { stdin: "given" }])).stdout), "given");
  assert.deepEqual(
    [...(await run(ops, "sh.exec", ["cat", { stdin: Uint8Array.of(0, 255) }])).stdout], [0, 255],
  );
});

test("a child that does not read its input is no error", async (t) => {
  const { ops } = await shell(t);
  const result = await run(ops, "sh.exec", ["true", { stdin: "x".repeat(1_000_000) }]);
  assert.equal(result.code, 0);
});

test("cwd is the project root unless given, and args run a program without a shell", async (t) => {
  const { ops, root } = await shell(t);
  assert.equal(text((await run(ops, "sh.exec", ["pwd"])).stdout), `${root}\n`);
  await run(ops, "sh.exec", ["mkdir below"]);
  assert.equal(text((await run(ops, "sh.exec", ["pwd", { cwd: "below" }])).stdout), `${root}/below\n`);
  assert.equal(
    text(
      (await run(ops, "sh.exec", ["printf", { args: ["%s|", "a b", "$HOME", "*"] }])).stdout,
    ), "a b|$HOME|*|",
  );
});

test("max_output keeps the last bytes of each stream and says truncated", async (t) => {
  const { ops } = await shell(t);
  const result = await run(
    ops, "sh.exec", ["i=0; while [ $i -lt 2000 ]; do echo line$i; i=$((i+1)); done", { max_output: 100 }],
  );
  assert.equal(result.truncated, true);
  assert.equal(result.stdout.length, 100);
  assert.match(text(result.stdout), /line1999\n$/);
});

test("a restricted script cannot raise max_output", async (t) => {
  const { ops } = await shell(t, { grants: ["run:sh"], childOutputBytesMax: 50 });
  const result = await run(ops, "sh.exec", ["head -c 5000 /dev/zero", { max_output: 4000 }]);
  assert.equal(result.stdout.length, 50);
});

test("Given a command that forks a sleeper, when it times out, then both are gone and partial output is returned", async (t) => {
  const { ops, root } = await shell(t);
  const result = await run(
    ops, "sh.exec", ["echo partial; sleep 600 & echo $! > sleeper; echo $$ > leader; wait", { timeout: 1.5 }],
  );
  assert.equal(result.ok, false);
  assert.equal(result.error, "timeout after 1.5s");
  assert.equal(result.timed_out, true);
  assert.equal(text(result.stdout), "partial\n");
  for (const name of ["sleeper", "leader"]) {
    const pid = await pidIn(join(root, name));
    await until(() => isGone(pid), { what: `${name} gone` });
  }
});

test("a child that ignores SIGTERM gets SIGKILL, and so does what it forked", async (t) => {
  const { ops, root } = await shell(t);
  const stubborn = "trap '' TERM; (trap '' TERM; echo $$ > inner; while :; do sleep 0.05; done) & echo $! > fork; while :; do sleep 0.05; done";
  const result = await run(ops, "sh.exec", [stubborn, { timeout: 2 }]);
  assert.equal(result.timed_out, true);
  const pid = await pidIn(join(root, "fork"));
  await until(() => isGone(pid), { what: "the fork gone" });
});

test("a descendant that left the process group is found by its mark", {
  skip: process.platform !== "linux" && "needs /proc",
}, async (t) => {
  const { ops, root } = await shell(t);
  const result = await run(
    ops, "sh.exec", ["setsid sh -c 'echo $$ > away; exec sleep 600' & sleep 600", { timeout: 2 }],
  );
  assert.equal(result.timed_out, true);
  const pid = await pidIn(join(root, "away"));
  await until(() => isGone(pid), { what: "the one that left gone" });
});

test("cancel ends the group and the call at once", async (t) => {
  const { ops, root } = await shell(t);
  const stop = new AbortController();
  const waiting = run(ops, "sh.exec", ["sleep 600 & echo $! > sleeper; wait"], { signal: stop.signal });
  const pid = await pidIn(join(root, "sleeper"));
  stop.abort(new Error("task cancelled"));
  await assert.rejects(waiting, /task cancelled/);
  await until(() => isGone(pid), { what: "the sleeper gone" });
});

test("what a command leaves running goes at the end of the run, and each group is told up and down", async (t) => {
  const { ops, root, runner, facts } = await shell(t);
  const result = await run(ops, "sh.exec", ["sleep 600 >/dev/null 2>&1 & echo $! > sleeper"]);
  assert.equal(result.code, 0);
  const pid = await pidIn(join(root, "sleeper"));
  assert.equal(await isGone(pid), false);
  assert.deepEqual(facts.map((fact) => fact.state), ["up"]);
  await runner.killAll();
  await until(() => isGone(pid), { what: "the sleeper gone" });
  assert.deepEqual(facts.map((fact) => fact.state), ["up", "down"]);
  const after = await run(ops, "sh.exec", ["true"]);
  assert.deepEqual(after, { ok: false, error: "exec error: the run is ending" });
});

test("the end of an isle ends its children and not those of the other", async (t) => {
  const { ops, root, runner } = await shell(t);
  await run(ops, "sh.exec", ["sleep 600 >/dev/null 2>&1 & echo $! > main"], { isle: "main" });
  await run(ops, "sh.exec", ["sleep 600 >/dev/null 2>&1 & echo $! > handler"], { isle: "handler" });
  const [main, handler] = [await pidIn(join(root, "main")), await pidIn(join(root, "handler"))];
  await runner.killOf("handler");
  await until(() => isGone(handler), { what: "the handler's child gone" });
  assert.equal(await isGone(main), false);
});

test("live children are bounded: the next one waits", async (t) => {
  const { ops, runner, root } = await shell(t, { childrenLiveMax: 2 });
  const command = "while [ ! -f go ]; do sleep 0.05; done";
  const waiting = [1, 2, 3].map(() => run(ops, "sh.exec", [command]));
  await until(() => runner.live === 2, { what: "two children" });
  await writeFile(join(root, "go"), "");
  for (const result of await Promise.all(waiting)) assert.equal(result.code, 0);
});

test("Given PET_TOKEN set, when a child lists its environment, then it is absent; with --grant secret:PET_TOKEN present", async (t) => {
  const env = { PET_TOKEN: "s3cr3t", MAX_TOKENS: "10", MY_API_KEY: "k", PLAIN: "p" };
  const hidden = text((await run((await shell(t, { env })).ops, "sh.exec", ["env"])).stdout);
  assert.doesNotMatch(hidden, /s3cr3t|MY_API_KEY/);
  assert.match(hidden, /^PLAIN=p$/m);
  assert.match(hidden, /^MAX_TOKENS=10$/m);
  const granted = await shell(t, { env, secrets: ["PET_TOKEN"] });
  assert.match(text((await run(granted.ops, "sh.exec", ["env"])).stdout), /^PET_TOKEN=s3cr3t$/m);
  const restricted = await shell(t, { env, grants: ["run:sh", "secret:PET_TOKEN"] });
  assert.match(text((await run(restricted.ops, "sh.exec", ["env"])).stdout), /^PET_TOKEN=s3cr3t$/m);
});

test("a secret passes when it is given in opts.env", async (t) => {
  const { ops } = await shell(t, { env: { PET_TOKEN: "outer" } });
  const result = await run(ops, "sh.exec", ["echo $PET_TOKEN", { env: { PET_TOKEN: "mine" } }]);
  assert.equal(text(result.stdout), "mine\n");
});

test("sh.exec, io.popen and os.execute give the same text without run:", async (t) => {
  const { ops } = await shell(t, { grants: ["run:git"] });
  const words = "denied: run shell text (not granted); needs grant run:sh";
  assert.deepEqual(await run(ops, "sh.exec", ["true"]), { ok: false, error: words, code: "grant.denied" });
  await assert.rejects(run(ops, "io.popen.open", ["true", "r"]), { message: words, code: "grant.denied" });
  await assert.rejects(run(ops, "os.execute", ["true"]), { message: words, code: "grant.denied" });
});

test("a granted program is looked up in the path of the program, not in one the script sets", async (t) => {
  const { ops, root } = await shell(t, { grants: ["run:printf", "run:sh"], env: {} });
  await run(
    ops, "sh.exec", ["mkdir evil; printf '#!/bin/sh\\necho evil' > evil/printf; chmod +x evil/printf"],
  );
  const result = await run(ops, "sh.exec", ["printf", { args: ["good"], env: { PATH: join(root, "evil") } }]);
  assert.equal(text(result.stdout), "good");
  const path = await run(ops, "sh.exec", ["./evil/printf", { args: ["x"] }]);
  assert.equal(path.code, "grant.denied");
  assert.equal(
    path.error, `denied: run ${root}/evil/printf (program not granted); needs grant run:${root}/evil/printf`,
  );
});

test("detach needs its own grant, answers at once with the pid, and outlives the run", async (t) => {
  const denied = await shell(t, { grants: ["run:sh"] });
  const refused = await run(denied.ops, "sh.exec", ["true", { detach: true }]);
  assert.equal(refused.error, "denied: run shell text (detached, outlives the run); needs grant run:detach");
  const { ops, runner, facts } = await shell(t);
  const result = await run(ops, "sh.exec", ["sleep 600", { detach: true }]);
  assert.equal(result.ok, true);
  await runner.killAll();
  assert.equal(await isGone(result.pid), false);
  assert.deepEqual(facts, []);
  process.kill(-result.pid, "SIGKILL");
});

test("wrong arguments of sh.exec raise with their name", async (t) => {
  const { ops } = await shell(t);
  await assert.rejects(
    run(ops, "sh.exec", ["true", { timeout: {} }]), {
      message: "sh.exec: opts.timeout must be a number, got table",
    },
  );
  await assert.rejects(
    run(ops, "sh.exec", ["true", { env: { A: true } }]), {
      message: "sh.exec: opts.env.A must be a string, got boolean",
    },
  );
  await assert.rejects(
    run(ops, "sh.exec", ["true", { timeout: -1 }]), {
      message: "sh.exec: opts.timeout must not be negative, got -1",
    },
  );
});
