import assert from "node:assert/strict";
import { test } from "node:test";
import { Bug, Events } from "@atoll-run/core";

interface Facts {
  started: { at_ms: number };
  print: { text: string };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a fact is heard while there is a listener or a stream for it", async () => {
  const events = new Events<{ print: { text: string }; ended: { ok: boolean } }>();
  assert.equal(events.isHeard("print"), false);
  const listening = events.on("print", () => undefined);
  assert.deepEqual([events.isHeard("print"), events.isHeard("ended")], [true, false]);
  listening[Symbol.dispose]();
  assert.equal(events.isHeard("print"), false);
});

test("listeners hear the facts of their name, in order, until disposed or aborted", () => {
  const events = new Events<Facts>();
  const heard: string[] = [];
  const controller = new AbortController();
  const first = events.on("print", ({ text }) => heard.push(`1${text}`));
  events.on("print", ({ text }) => heard.push(`2${text}`), { signal: controller.signal });
  events.on("started", () => heard.push("started"));
  events.emit("print", { text: "a" });
  first[Symbol.dispose]();
  events.emit("print", { text: "b" });
  controller.abort();
  events.emit("print", { text: "c" });
  events.on("print", () => heard.push("never"), { signal: controller.signal });
  events.emit("print", { text: "d" });
  assert.deepEqual(heard, ["1a", "2a", "2b"]);
});

test("what a listener throws reaches neither the emitter nor the other listeners", () => {
  const errors: string[] = [];
  const events = new Events<Facts>({ onError: (error,
    name) => errors.push(`${name}: ${(error as Error).message}`) });
  const heard: string[] = [];
  events.on("print", () => {
    throw new Error("oops");
  });
  events.on("print", ({ text }) => heard.push(text));
  events.emit("print", { text: "a" });
  new Events<Facts>().emit("print", { text: "nobody" });
  assert.deepEqual(errors, ["print: oops"]);
  assert.deepEqual(heard, ["a"]);
});

test("a listener that adds or removes listeners does not disturb the round", () => {
  const events = new Events<Facts>();
  const heard: string[] = [];
  const own = events.on("print", () => {
    own[Symbol.dispose]();
    events.on("print", () => heard.push("new"));
    heard.push("old");
  });
  events.emit("print", { text: "a" });
  assert.deepEqual(heard, ["old"]);
  events.emit("print", { text: "b" });
  assert.deepEqual(heard, ["old", "new"]);
});

test("a stream gives every event from the call on, and ends with close", async () => {
  const events = new Events<Facts>();
  events.emit("print", { text: "before" });
  const stream = events.stream();
  events.emit("started", { at_ms: 1 });
  events.emit("print", { text: "a" });
  const all = Array.fromAsync(stream);
  await turn();
  events.emit("print", { text: "b" });
  events.close();
  assert.deepEqual(await all, [{ name: "started", at_ms: 1 }, { name: "print", text: "a" },
    { name: "print", text: "b" }]);
  assert.deepEqual(await Array.fromAsync(events.stream()), []);
});

test("a slow reader loses events, is told how many, and where the gap is", async () => {
  const events = new Events<Facts>();
  const stream = events.stream({ buffer: 3 });
  const emit = (...texts: string[]): void => texts.forEach((text) => events.emit("print", { text }));
  emit("a", "b", "c", "d", "e");
  assert.deepEqual((await stream.next()).value, { name: "print", text: "a" });
  emit("f");
  assert.deepEqual((await stream.next()).value, { name: "print", text: "b" });
  emit("g");
  events.close();
  assert.deepEqual(await Array.fromAsync(stream), [
    { name: "print", text: "c" }, { name: "lost", count: 3 }, { name: "print", text: "g" },
  ]);
  const tiny = new Events<Facts>();
  const last = tiny.stream({ buffer: 1 });
  for (let i = 0; i < 5; i++) tiny.emit("print", { text: `${i}` });
  tiny.close();
  assert.deepEqual(await Array.fromAsync(last), [{ name: "print", text: "0" }, { name: "lost", count: 4 }]);
});

test("a stream ends when its signal aborts or its reader leaves", async () => {
  const events = new Events<Facts>();
  const controller = new AbortController();
  const aborted = Array.fromAsync(events.stream({ signal: controller.signal }));
  controller.abort();
  assert.deepEqual(await aborted, []);
  assert.deepEqual(await Array.fromAsync(events.stream({ signal: controller.signal })), []);
  const left = events.stream();
  events.emit("print", { text: "a" });
  for await (const event of left) {
    assert.equal(event.name, "print");
    break;
  }
  events.emit("print", { text: "b" });
  assert.deepEqual(await left.next(), { done: true, value: undefined });
  {
    await using scoped = events.stream();
    assert.ok(scoped);
  }
});

test("a stream has one reader", async () => {
  const events = new Events<Facts>();
  const stream = events.stream();
  const next = stream.next();
  assert.throws(() => stream.next(), Bug);
  events.close();
  assert.deepEqual(await next, { done: true, value: undefined });
});
