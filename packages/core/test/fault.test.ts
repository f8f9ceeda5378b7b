import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, isFault, toFault, toFaultData, type FaultData } from "@atoll-run/core";

type MailFault = { code: "mail.full"; facts: { depth: number } };
class MailError extends Fault<MailFault> {
  override readonly name = "MailError";
}

const full = new MailError({
  code: "mail.full", facts: { depth: 3 }, text: "mail error: full", retry: "later", retry_after_ms: 50,
    uncertain: true,
  hint: "Send less.", cause: new Error("inner"),
});

test("a fault carries code, facts, retry class, uncertainty, delay, hint and cause", () => {
  assert.equal(full.code, "mail.full");
  assert.deepEqual(full.facts, { depth: 3 });
  assert.equal(full.message, "mail error: full");
  assert.equal(full.retry, "later");
  assert.equal(full.retry_after_ms, 50);
  assert.equal(full.uncertain, true);
  assert.equal(full.hint, "Send less.");
  assert.equal((full.cause as Error).message, "inner");
  assert.equal(full.name, "MailError");
  assert.ok(full instanceof Error);
});

test("a fault that says nothing of a retry is never retried, and has no empty fields", () => {
  const fault = new Fault({ code: "a.b", text: "text" });
  assert.equal(fault.retry, "never");
  assert.deepEqual(fault.facts, {});
  for (const field of ["uncertain", "retry_after_ms", "hint", "cause"]) assert.ok(!(field in fault), field);
});

test("a fault survives the way to another thread as plain data", () => {
  const data: FaultData = structuredClone(toFaultData(full));
  const back = toFault(data);
  assert.ok(isFault(back));
  assert.deepEqual(toFaultData(back), toFaultData(full));
  assert.deepEqual(JSON.parse(JSON.stringify(data)), data);
});

test("facts that cannot cross to another thread cross as what describes them", () => {
  const fault = new Fault({ code: "a.b", text: "t",
    facts: { fn: () => 1, error: new TypeError("bad"), n: 7n, at: new Map([["k", 1]]) } });
  const { facts } = structuredClone(toFaultData(fault));
  assert.deepEqual({ ...facts, fn: typeof facts.fn },
    { fn: "string", error: { message: "bad" }, n: 7n, at: { k: 1 } });
});

test("a fault is known by its shape, not by its class", () => {
  const foreign = Object.assign(new Error("x"), { code: "a.b", facts: {}, retry: "never" });
  assert.ok(isFault(foreign));
  const system = Object.assign(new Error("x"), { code: "ENOENT" });
  for (const other of [new Error("x"), system, { code: "a.b", facts: {}, retry: "never" }, null, "a.b"]) {
    assert.equal(isFault(other), false);
  }
});
