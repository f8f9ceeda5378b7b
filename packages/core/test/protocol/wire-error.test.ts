import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import {
  Fault, LOCAL_NODE_FAULTS, NODE_FAULTS, nodeError, NodeError, nodeFaultKind, type NodeCode, type Retry,
} from "@atoll-run/core";
import { fromRealmError, fromWireError, toWireError } from "@atoll-run/core/internal";
import { wireError } from "../codec/arbitrary-envelope.ts";
import { readVectors } from "../codec/vectors.ts";

interface Numbered {
  readonly fault: NodeCode;
  readonly code: number;
  readonly kind: number;
  readonly retry: Retry;
}
interface Errors {
  readonly faults: readonly Numbered[];
  readonly told_as: readonly Numbered[];
  readonly read: readonly { title: string; code: number; kind?: number; fault: string; retry?: Retry;
    text?: string }[];
  readonly realm: readonly { code: number; fault: string }[];
  readonly legacy_text: readonly { fault: NodeCode; text: string; message: string; business_code?: string;
    retry_after_ms?: number }[];
}
const vectors = readVectors<Errors>("errors");

test("every code of a node has its vector", () => {
  assert.deepEqual(vectors.faults.map(({ fault }) => fault), Object.keys(NODE_FAULTS));
  const local = vectors.told_as.map(({ fault }) => fault).filter((fault) => fault.startsWith("node."));
  assert.deepEqual(local, Object.keys(LOCAL_NODE_FAULTS));
});

for (const { fault, code, kind, retry } of vectors.faults) {
  test(`${fault} travels as ${code} with kind ${kind}, and comes back as itself`, () => {
    const error = nodeError(fault, "why");
    const wire = toWireError(error);
    assert.deepEqual([wire.code, wire.detail?.kind, wire.detail?.retry], [code, kind, retry]);
    const back = fromWireError(wire);
    assert.ok(back instanceof NodeError);
    assert.deepEqual([back.code, back.message, back.retry], [fault, error.message, retry]);
  });

  test(`${fault} is ${kind === 0 ? "itself" : "the code that it refines"} to a legacy peer`, () => {
    const { detail: _, ...legacy } = toWireError(nodeError(fault, "why"));
    const back = fromWireError(legacy);
    const plain = vectors.faults.find((one) => one.code === code && one.kind === 0);
    assert.equal(back.code, plain?.fault);
    assert.equal(back.retry, nodeFaultKind(back.code).retry);
  });
}

for (const { fault, code, kind } of vectors.told_as) {
  test(`${fault} is told to a peer as ${code}`, () => {
    const wire = toWireError(new Fault({ code: fault, text: "why" }));
    assert.deepEqual([wire.code, wire.detail?.kind, wire.message], [code, kind, "why"]);
  });
}

for (const { title, code, kind, fault, retry, text } of vectors.read) {
  test(`${title}: ${code} is ${fault}`, () => {
    const detail = kind === undefined ? {} : { detail: { kind, issues: [] } };
    const back = fromWireError({ code, message: "x", ...detail });
    assert.equal(back.code, fault);
    if (retry !== undefined) assert.equal(back.retry, retry);
    if (text !== undefined) assert.equal(back.message, text);
  });
}

for (const { code, fault } of vectors.realm) {
  test(`the realm's ${code} is ${fault} to a caller`, () => {
    assert.equal(fromRealmError({ code, message: "x" }).code, fault);
  });
}

for (const { fault, text, message, business_code, retry_after_ms } of vectors.legacy_text) {
  test(`a legacy peer reads "${message}"; an aware one the text alone`, () => {
    const error = nodeError(fault, text, {
      ...business_code === undefined ? {} : { facts: { error: { code: business_code } } },
      ...retry_after_ms === undefined ? {} : { retry_after_ms },
    });
    const wire = toWireError(error);
    assert.equal(wire.message, message);
    const back = fromWireError(wire);
    assert.deepEqual([back.message, back.retry_after_ms, back.facts], [text, retry_after_ms, error.facts]);
  });
}

test("a fault keeps what a caller can act on", () => {
  const error = nodeError("node.business", "no", {
    facts: { error: { code: "poor", body: Uint8Array.of(1), content_type: "application/json" } },
    hint: "Pay in.", uncertain: false, retry: "later", retry_after_ms: 12.5,
  });
  const back = fromWireError(toWireError(error));
  assert.deepEqual([back.facts, back.hint, back.uncertain, back.retry, back.retry_after_ms],
    [error.facts, "Pay in.", false, "later", 13]);
  const issues = nodeError("node.invalid_argument", "no", { facts: { issues: ["a is no number"] } });
  assert.deepEqual(fromWireError(toWireError(issues)).facts, issues.facts);
  const service = nodeError("node.dependency_not_found", "no", { facts: { service_name: "echo" } });
  assert.deepEqual(fromWireError(toWireError(service)).facts, service.facts);
});

test("a time-out that says nothing else is uncertain: the call may have run", () => {
  assert.equal(fromWireError({ code: 10_002, message: "x" }).uncertain, true);
  const certain = nodeError("node.timed_out", "x", { uncertain: false });
  assert.equal(fromWireError(toWireError(certain)).uncertain, false);
});

test("what is told of a fault of another room is nothing but its text", () => {
  const facts = { issues: ["secret"], error: { code: "c" } };
  const fault = new Fault({ code: "sh.failed", text: "x", facts });
  assert.deepEqual(toWireError(fault).detail, { kind: 0, retry: "never", issues: [] });
});

test("a text that is too long loses its end, not what stands around it", () => {
  const error = nodeError("node.connection_not_ready", "é".repeat(5_000), { retry_after_ms: 1 });
  const { message } = toWireError(error);
  assert.ok(Buffer.byteLength(message) <= 4_096);
  assert.match(message, /é \(retry_after_ms=Some\(1\)\)$/);
});

test("any error of a peer is a fault of a node", () => {
  fc.assert(fc.property(wireError, (error) => {
    for (const back of [fromWireError(error), fromRealmError(error)]) {
      assert.match(back.code, /^node\./);
      assert.match(back.retry, /^(?:never|later|elsewhere)$/);
    }
  }));
});

test("docs/protocol.md has a row for every code of a node", () => {
  const page = readFileSync(new URL("../../../../docs/protocol.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| `node."));
  assert.deepEqual(rows, Object.entries({ ...NODE_FAULTS, ...LOCAL_NODE_FAULTS }).map(([code, fault]) =>
    `| \`${code}\` | ${fault.wire}${code in NODE_FAULTS ? "" : " (only here)"} | ${fault.kind} | `
      + `${fault.retry} | ${fault.class} |`));
});
