/**
 * Conformance of `ScriptEngine`: values, calls of the host, events, isolation, and the end of scripts that do
 * not want to end. The scripts are the engine's own: each engine says how its language does what
 * `IsleScripts` asks for.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Json, luaFloat, type ScriptEngine, type ScriptIsle } from "@atoll-run/core";
import { until } from "../until.ts";
import { endChapter } from "./isle-ends.ts";
import { type IsleScripts, type IsleUnderTest, NO_CAPS, type Start } from "./isle-under-test.ts";

/** Registers the tests with node:test. */
export function isleChapters(under: IsleUnderTest): void {
  describe(`${under.name}: isle`, () => {
    let engine: ScriptEngine;
    const open = new Set<ScriptIsle>();
    before(() => {
      engine = under.open();
    });
    after(async () => {
      await Promise.all([...open].map((isle) => isle[Symbol.asyncDispose]()));
      await engine[Symbol.asyncDispose]();
    });
    const start: Start = (source, { tools = {}, caps = {}, print = () => undefined } = {}) => {
      const isle = engine.start(source,
        { name: "test", host: { tools, print }, caps: { ...NO_CAPS, ...caps } });
      isle.ended.catch(() => undefined);
      open.add(isle);
      return isle;
    };
    valueChapter(start, under.scripts);
    hostChapter(start, under.scripts);
    eventChapter(start, under.scripts);
    endChapter(start, under.scripts);
  });
}

function valueChapter(start: Start, scripts: IsleScripts): void {
  test("a script gives its value, and null when it has none", async () => {
    assert.equal(await start(scripts.seven).ended, 7);
    assert.equal(await start(scripts.nothing).ended, null);
  });

  test("integers beyond 2^53, floats and text pass through a script unchanged", async () => {
    const values: Json[] = [
      9007199254740993n, -(2n ** 63n), 2n ** 63n - 1n, 0.1, luaFloat(3) as unknown as Json, "\u0000é🌊", [],
      {}, [[], { a: null }],
    ];
    let taken: Json = null;
    const tools = { give: () => values, take: (input: Json) => (taken = input) };
    await start(scripts.passOn, { tools }).ended;
    assert.deepEqual(JSON.stringify(taken, big), JSON.stringify(values, big));
  });

  test("what is no program is script.syntax with its place, an error script.failed with its text", async () => {
    await assert.rejects(start(scripts.broken).ended, (e: { code: string; message: string }) => {
      assert.equal(e.code, "script.syntax");
      assert.match(e.message, /test:\d/);
      return true;
    });
    await assert.rejects(start(scripts.boom).ended, (e: { code: string; message: string }) => {
      assert.equal(e.code, "script.failed");
      assert.match(e.message, /boom/);
      return true;
    });
  });

  test("scripts share nothing: not a global, not a change of the language's own library", async () => {
    const ended = await Promise.all(Array.from({ length: 5 }, () => start(scripts.count).ended));
    assert.deepEqual(ended, [1, 1, 1, 1, 1]);
  });
}

function big(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

function hostChapter(start: Start, scripts: IsleScripts): void {
  const refuse = (): never => {
    throw Object.assign(new Error("not now"), { code: "test.refused", facts: {}, retry: "later" });
  };

  test("an error of the host is an error of the script, with its code", async () => {
    assert.deepEqual(await start(scripts.caught, { tools: { refuse } }).ended, ["test.refused", "not now"]);
    await assert.rejects(start(scripts.uncaught, { tools: { refuse } }).ended,
      { code: "script.failed", message: /not now/ });
  });

  test("a script may wait for the host wherever its language lets it call a function", async () => {
    const ask = (n: Json): Promise<Json> =>
      new Promise((resolve) => setImmediate(() => resolve(Number(n) * 10)));
    assert.deepEqual(await start(scripts.nested, { tools: { ask } }).ended, [0, 10, 20]);
  });

  test("what a script prints arrives in order and before what it does next", async () => {
    let printed = "";
    const asked: string[] = [];
    const decoder = new TextDecoder();
    const isle = start(scripts.print, {
      print: (bytes) => void (printed += decoder.decode(bytes)), tools: { ask: () => asked.push(printed) },
    });
    await isle.ended;
    assert.deepEqual(asked, ["a\n"]);
    await until(() => printed === "a\nb\n");
  });

  test("a host that is slow to write holds the script back, and gets every byte", async () => {
    let bytes = 0;
    const isle = start(scripts.print, {
      tools: { ask: () => null },
      print: async (more) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        bytes += more.length;
      },
    });
    await isle.ended;
    await until(() => bytes === 4);
  });
}

function eventChapter(start: Start, scripts: IsleScripts): void {
  test("a handler answers event after event in order, and one that fails does not end the rest", async () => {
    const isle = start(scripts.serve);
    assert.deepEqual(await isle.handle("echo", { a: [1, "x"] }), { a: [1, "x"] });
    await assert.rejects(isle.handle("fail", null), { message: /no/ });
    const all = await Promise.all(Array.from({ length: 20 }, () => isle.handle("add", null)));
    assert.deepEqual(all, Array.from({ length: 20 }, (_, i) => i + 1));
    isle.cancel();
    await assert.rejects(isle.ended, { code: "run.cancelled" });
  });

  test("after the end of a script its events are refused at once", async () => {
    const isle = start(scripts.seven);
    await isle.ended;
    await assert.rejects(isle.handle("echo", 1));
  });
}
