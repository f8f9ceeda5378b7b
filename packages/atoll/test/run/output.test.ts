/** Prints, logs and errors: what goes where, and in which order (spec: block 3, Output). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { until } from "@atoll-run/testkit";
import { place, runScript, startAtoll } from "../support/cli.ts";

const CHATTER = "print('one') log.info('two', {n = 2}) print('three') log.warn('four')";

test("C1: given a script that prints and logs, then stdout has only the print; with `--log-to stdout` it has both in order", async (t) => {
  const at = place(t);
  const apart = await runScript(at, CHATTER);
  assert.equal(apart.stdout, "one\nthree\n");
  assert.match(apart.stderr, /^\S+Z  INFO lua: two .*n=2.*\n\S+Z  WARN lua: four .*\n$/);
  for (const [args, env] of [[["--log-to", "stdout"], {}], [[], { ATOLL_LOG_TO: "stdout" }]] as const) {
    const together = await runScript(at, CHATTER, args, { env });
    assert.equal(together.stderr, "");
    assert.match(together.stdout, /^one\n\S+Z  INFO lua: two .*\nthree\n\S+Z  WARN lua: four .*\n$/);
  }
});

test("what the script prints goes to stdout byte for byte", async (t) => {
  const { bytes } = await runScript(
    place(t), "io.write('\\0\\255\\r\\n', 'no line end') io.write(('x'):rep(300000))");
  assert.deepEqual(bytes,
    Buffer.concat([Buffer.from([0, 255, 13, 10]), Buffer.from("no line end"), Buffer.alloc(300_000, "x")]));
});

test("--log-to stdout keeps whole lines and program order across prints and logs of both isles", async (t) => {
  const at = place(t);
  const { child, stdout, end } = startAtoll(at, ["run", "--log-to", "stdout", at.file("both.lua", `
    bus.on("k", function()
      for i = 1, 50 do io.write("hand", "ler ") log.info("handler log " .. i) print(i) std.task.sleep(0) end
    end)
    bus.emit("k")
    std.task.spawn(function()
      for i = 1, 50 do io.write("ma", "in ") log.info("main log " .. i) print(i) std.task.sleep(0) end
    end)
    bus.serve()`)]);
  await until(() => stdout().includes("main 50\n") && stdout().includes("handler 50\n"), { withinMs: 30_000 });
  child.kill("SIGTERM");
  const { code, stdout: all, stderr } = await end;
  assert.deepEqual([code, stderr], [0, ""]);
  const lines = all.split("\n").slice(0, -1);
  for (const line of lines) assert.match(line, /^(main|handler) \d+$|^\S+Z  INFO lua: \w+ log \d+ /);
  for (const isle of ["main", "handler"]) {
    const own = lines.flatMap((line) => {
      const [, log, number] = new RegExp(`(?:^|INFO lua: )${isle} (log )?(\\d+)`).exec(line) ?? [];
      return number === undefined ? [] : [`${log === undefined ? "print" : "log"} ${number}`];
    });
    // The line was begun before the log spoke, and finished after it: it is printed when it is whole.
    assert.deepEqual(own, Array.from({ length: 50 }, (_, n) => [`log ${n + 1}`, `print ${n + 1}`]).flat());
  }
});

test("an unfinished last line is printed at the end, also between logs", async (t) => {
  const { stdout } = await runScript(
    place(t), "io.write('a') log.info('x') io.write('b')", ["--log-to", "stdout"]);
  assert.match(stdout, /^\S+Z  INFO lua: x.*\nab$/);
});

test("an uncaught error prints `atoll: <text>` and the traceback on stderr", async (t) => {
  const at = place(t);
  const { code, stdout, stderr } = await runScript(
    at, "local function inner()\n  error('it broke')\nend\ninner()");
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^atoll: script error: .*script\.lua:2: it broke\nstack traceback:\n(.*\n)*.*script\.lua:4: in main chunk/);
});

test("the runtime's own start and stop lines are `debug`", async (t) => {
  const at = place(t);
  assert.equal((await runScript(at, "print(1)")).stderr, "");
  assert.match((await runScript(at, "print(1)", ["--log", "debug"])).stderr, /DEBUG block: started/);
});

test("--log takes off, level, target=level and lists; the variable falls back to RUST_LOG", async (t) => {
  const at = place(t);
  const source = "log.debug('fine') log.info('plain') log.error('loud')";
  const shown = async (args: string[], env = {}): Promise<string[]> =>
    [...(await runScript(at, source, args, { env })).stderr.matchAll(/lua: (\w+)/g)]
      .map(([, word]) => word as string);
  assert.deepEqual(await shown([]), ["plain", "loud"]);
  assert.deepEqual(await shown(["--log", "off"]), []);
  assert.deepEqual(await shown(["--log", "warn,lua=debug"]), ["fine", "plain", "loud"]);
  assert.deepEqual(await shown([], { RUST_LOG: "error" }), ["loud"]);
  assert.deepEqual(await shown([], { RUST_LOG: "error", AGENT_BLOCK_LOG: "debug" }),
    ["fine", "plain", "loud"]);
  assert.deepEqual(await shown(["--log", "error"], { ATOLL_LOG: "debug" }), ["loud"]);
});

test("a wrong --log is refused with exit 2; a wrong RUST_LOG, meant for others too, only warns",
  async (t) => {
  const at = place(t);
  const flag = await runScript(at, "", ["--log", "lua=loud"]);
  assert.equal(flag.code, 2);
  assert.match(flag.stderr, /--log: 'loud' is not one of off, error, warn, info, debug, trace/);
  const rust = await runScript(at, "print('runs')", [], { env: { RUST_LOG: "hyper[span]=info" } });
  assert.deepEqual([rust.code, rust.stdout], [0, "runs\n"]);
  assert.match(rust.stderr, /WARN block: RUST_LOG: .*; the default info is used/);
});

test("--log-format json writes one object a line", async (t) => {
  const at = place(t);
  const env = { ATOLL_RUN_ID: "r1", AGENT_BLOCK_AGENT_NAME: "pet", ATOLL_TRACE_ID: "t1",
    ATOLL_AGENT_ID: "a1" };
  const { stderr } = await runScript(at, "log.info('said', {n = 2})", ["--log-format", "json"], { env });
  const [event] = stderr.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(new Date(String(event?.["time"])).toISOString(), event?.["time"]);
  const { time, script, ...rest } = event as Record<string, unknown>;
  assert.ok(time);
  assert.match(String(script), /script\.lua$/);
  assert.deepEqual(rest, {
    level: "info", target: "lua", msg: "said", isle: "main", trace_id: "t1", run_id: "r1", agent_id: "a1",
    agent_name: "pet", fields: { n: 2 },
  });
  assert.equal((await runScript(at, "", ["--log-format", "xml"])).code, 2);
});

test("--log-to none says nothing, and a file is appended to", async (t) => {
  const at = place(t);
  assert.equal((await runScript(at, CHATTER, ["--log-to", "none"])).stderr, "");
  for (let i = 0; i < 2; i++) assert.equal(
    (await runScript(at, CHATTER, ["--log-to", "out.log"])).stderr, "");
  assert.equal(readFileSync(at.path("out.log"), "utf8").split("\n").length, 5);
  const bad = await runScript(at, CHATTER, ["--log-to", "gone/out.log"]);
  assert.deepEqual([bad.code, bad.stdout], [1, ""]);
  assert.match(bad.stderr, /^atoll: I\/O error: --log-to 'gone\/out\.log': /);
});

test("values of secret variables and of .env are masked in logs and errors", async (t) => {
  const at = place(t);
  at.file(".env", "CAT_PASSWORD=hunter22\n");
  const source = "log.info(std.env.get('PET_TOKEN')) log.info('x', {p = std.env.get('CAT_PASSWORD')}) error(std.env.get('PET_TOKEN'))";
  const { stderr } = await runScript(at, source, [], { env: { PET_TOKEN: "tok-123456" } });
  assert.equal(stderr.match(/\[REDACTED\]/g)?.length, 3, stderr);
  assert.doesNotMatch(stderr, /tok-123456|hunter22/);
});

test("there are no colours where no terminal is", async (t) => {
  const { stderr } = await runScript(place(t), "log.error('x') error('y')");
  assert.ok(!stderr.includes("\u001b"));
});

test("a slow reader holds the script back: what waits for it is bounded, and nothing is lost", {
  skip: process.platform === "linux" ? false : "reads the memory of a process from /proc",
}, async (t) => {
  const at = place(t);
  const lines = 400_000;
  const { child, end } = startAtoll(at, [
    "run", at.file("flood.lua", `local line = ("x"):rep(199) for i = 1, ${lines} do print(line) end`),
  ]);
  child.stdout.pause();
  const resident = (): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1_024;
  // 80 MB are to be printed; the script stands still long before.
  let before = -1;
  await until(() => {
    const now = Math.round(resident());
    const still = now === before && now > 60;
    before = now;
    return still;
  }, { withinMs: 30_000, everyMs: 300 });
  const highest = resident();
  child.stdout.resume();
  const { code, bytes } = await end;
  assert.deepEqual([code, bytes.length], [0, lines * 200]);
  assert.ok(highest < 220, `${highest} MiB`);
});
